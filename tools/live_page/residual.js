// What the residual of a restoration shows.

import { startWorker } from "./calls.js";
import { whiteness, whitenessMeter } from "./whiteness.js";

const UNKNOWN = "<p>Anatomy removed? <b>Unknown</b> without a clean reference.</p>";
const PENDING = "<p>Anatomy removed? …</p>";

const call = startWorker("anatomy_worker.js", "the reading of the residual");

const isEmpty = (residual) => residual.every((value) => value === 0);

/** Texts of a restoration that follow at once; the reading of the anatomy takes longer. */
export function readingTexts({ state, image, residual }) {
  const anatomy = state.as_it_is ? UNKNOWN : isEmpty(residual) ? "" : PENDING;
  return { whiteness: whitenessMeter(whiteness(residual, image.width)), anatomy };
}

/** Promise of the text on anatomy; null if it follows at once, or is superseded by a newer one. */
export async function anatomyText({ state, image, residual }) {
  if (state.as_it_is || isEmpty(residual)) return null;
  const { eta, sigma, seed } = state;
  const levels = { eta, sigma, seed };
  const { text } = await call({ task: { residual, clean: image.grey, width: image.width, levels } });
  return text;
}

/** End the reading in progress, which would slow down what follows; `anatomyText` reports errors. */
export const stopReading = () => call({}).catch(() => {});
