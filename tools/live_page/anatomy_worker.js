// The worker that reads residuals; a newer request supersedes the one in progress.

import { anatomySentence, correlationWithAnatomy, noiseRange } from "./anatomy.js";

let newest = 0;

/** Answers with the sentence, or with null if the request has been superseded. */
self.onmessage = async ({ data: { id, residual, clean, width, levels } }) => {
  newest = id;
  const range = await noiseRange(clean, width, levels, () => newest === id);
  const text = range && anatomySentence(correlationWithAnatomy(residual, clean, width), range);
  self.postMessage({ id, text });
};
