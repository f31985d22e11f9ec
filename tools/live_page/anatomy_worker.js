// The worker that reads residuals; a newer request supersedes the one in progress.

import { anatomySentence, correlationWithAnatomy, noiseRange } from "./anatomy.js";

let newest = 0;

async function read({ residual, clean, width, levels }, isWanted) {
  const range = await noiseRange(clean, width, levels, isWanted);
  return range && anatomySentence(correlationWithAnatomy(residual, clean, width), range);
}

/** Answers with the sentence on a task; with null if it has been superseded, or without a task. */
self.onmessage = async ({ data: { id, task } }) => {
  newest = id;
  const text = task ? await read(task, () => newest === id) : null;
  self.postMessage({ id, text });
};
