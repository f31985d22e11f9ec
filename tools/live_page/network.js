// The worker in which ONNX Runtime applies the network: one thread, files of this folder only.

import * as ort from "./ort.wasm.bundle.min.mjs";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };

const model = new URL("tiny.onnx", import.meta.url).href;
const session = ort.InferenceSession.create(model, { executionProviders: ["wasm"] }).catch((error) => {
  throw new Error(`the network could not be loaded from ${model}: ${error.message}`);
});

const perImage = (value) => new ort.Tensor("float32", [value], [1]);

/** Restored image of a noisy one, and the milliseconds that the network took. */
async function restore({ noisy, height, width, eta, sigma }) {
  const network = await session;
  const inputs = {
    noisy: new ort.Tensor("float32", noisy, [1, 1, height, width]),
    eta: perImage(eta),
    sigma: perImage(sigma),
    correlation: perImage(0), // the noise of Eq. 1 is white
  };
  const start = performance.now();
  const { restored } = await network.run(inputs);
  const milliseconds = performance.now() - start;
  return { restored: restored.data.map((g) => Math.min(1, Math.max(0, g))), milliseconds };
}

self.onmessage = async ({ data: { id, ...input } }) => {
  try {
    self.postMessage({ id, ...(await restore(input)) });
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
