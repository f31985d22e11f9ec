// The network as an asynchronous function.

import { startWorker } from "./calls.js";

const call = startWorker("network.js", "the network");

/**
 * Restore an image, told its noise: a promise of { restored, milliseconds }.
 *
 * noisy: Float32Array in [0, 1] of height x width, both at least 16; restored: likewise; eta and
 * sigma as in noise.js.
 */
export function restore(noisy, height, width, eta, sigma) {
  return call({ noisy, height, width, eta, sigma });
}
