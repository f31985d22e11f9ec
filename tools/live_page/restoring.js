// The network as an asynchronous function, by the processor or by the graphics processor.

import { startWorker } from "./calls.js";

const PROCESSOR = "wasm";
const GRAPHICS = "webgpu";

const REMEDY = "; clear the box of the graphics processor to restore without it";

const call = startWorker("network.js", "the network");
let backend = PROCESSOR;

/**
 * Restore an image, told its noise: a promise of { restored, milliseconds, backend }.
 *
 * noisy: Float32Array in [0, 1] of height x width, both at least 16; restored: likewise; eta and
 * sigma as in noise.js. backend: "wasm" or "webgpu", which has computed it.
 */
export async function restore(noisy, height, width, eta, sigma) {
  const used = backend;
  const answer = call({ backend: used, image: { noisy, height, width, eta, sigma } });
  const result = await answer.catch(({ message }) => {
    throw new Error(message + (used === GRAPHICS ? REMEDY : ""));
  });
  return { ...result, backend: used };
}

/** Load the network for the graphics processor or not: a promise of a function that takes it in use. */
export async function prepare(isOnGraphics) {
  const name = isOnGraphics ? GRAPHICS : PROCESSOR;
  await call({ backend: name });
  return () => (backend = name);
}

/** Load the network before the first image is known; the first restoration reports an error. */
prepare(false).catch(() => {});
