// A worker as an asynchronous function, so that the page stays responsive.

/**
 * Start the worker of a script of this folder; return call(message), a promise of its answer.
 *
 * The worker receives each message with an `id`, and answers with this id and its results, or with
 * the text `error`. subject: of the message if the script cannot be started.
 */
export function startWorker(script, subject) {
  const worker = new Worker(new URL(script, import.meta.url), { type: "module" });
  const waiting = new Map();
  let last = 0;
  let failure = null;
  worker.onmessage = ({ data: { id, error, ...result } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    error ? reject(new Error(error)) : resolve(result);
  };
  worker.onerror = (event) => {
    failure = new Error(`${subject} could not be started: ${event.message ?? "no message"}`);
    waiting.forEach(({ reject }) => reject(failure));
    waiting.clear();
  };
  return (message) => new Promise((resolve, reject) => {
    if (failure) return reject(failure);
    waiting.set(++last, { resolve, reject });
    return worker.postMessage({ id: last, ...message });
  });
}
