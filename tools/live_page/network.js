// The worker in which ONNX Runtime applies the network: one thread, files of this folder only.

const RUNTIMES = {
  wasm: ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"],
  webgpu: ["ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
};

const MODEL = "tiny.onnx";

const addressOf = (name) => new URL(name, import.meta.url).href;

const networks = new Map(); // promises by backend

/** Promise of the network in a backend, a name of RUNTIMES, which is loaded when it is first used. */
function load(backend) {
  if (!networks.has(backend)) networks.set(backend, open(backend));
  return networks.get(backend);
}

async function open(backend) {
  const [script, wasm] = RUNTIMES[backend].map(addressOf);
  try {
    const ort = await import(script);
    Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { wasm } });
    // Without warnings: operations on shapes are meant to run on the CPU.
    const options = { executionProviders: [backend], logSeverityLevel: 3 };
    return { ort, session: await ort.InferenceSession.create(addressOf(MODEL), options) };
  } catch (error) {
    throw new Error(`the network ${MODEL} or its runtime could not be loaded: ${error.message}`);
  }
}

/** Restored image of a noisy one, and the milliseconds that the network took. */
async function restore({ ort, session }, { noisy, height, width, eta, sigma }) {
  const perImage = (value) => new ort.Tensor("float32", [value], [1]);
  const inputs = {
    noisy: new ort.Tensor("float32", noisy, [1, 1, height, width]),
    eta: perImage(eta),
    sigma: perImage(sigma),
    correlation: perImage(0), // the noise of Eq. 1 is white
  };
  const start = performance.now();
  const { restored } = await session.run(inputs);
  const milliseconds = performance.now() - start;
  return { restored: restored.data.map((g) => Math.min(1, Math.max(0, g))), milliseconds };
}

/** Load the network in a backend and, if there is an image, restore it. */
self.onmessage = async ({ data: { id, backend, image } }) => {
  try {
    const network = await load(backend);
    self.postMessage({ id, ...(image && (await restore(network, image))) });
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
