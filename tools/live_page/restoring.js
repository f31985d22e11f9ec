// The network as an asynchronous function; it runs in a worker, so that the page stays responsive.

const worker = new Worker(new URL("network.js", import.meta.url), { type: "module" });
const waiting = new Map();
let last = 0;
let failure = null;

worker.onmessage = ({ data: { id, error, ...result } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  error ? reject(new Error(error)) : resolve(result);
};

worker.onerror = (event) => {
  failure = new Error(`the network could not be started: ${event.message ?? "no message"}`);
  waiting.forEach(({ reject }) => reject(failure));
  waiting.clear();
};

/**
 * Restore an image, told its noise: a promise of { restored, milliseconds }.
 *
 * noisy: Float32Array in [0, 1] of height x width, both at least 16; restored: likewise; eta and
 * sigma as in noise.js.
 */
export function restore(noisy, height, width, eta, sigma) {
  if (failure) return Promise.reject(failure);
  return new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    worker.postMessage({ id: last, noisy, height, width, eta, sigma });
  });
}
