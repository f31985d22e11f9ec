// Pointers and keys on a picture, and the progress of a restoration: before canvas.js in one script.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Position of a pointer in a picture: [row, column] in pixels. */
function spotOf(event, frame) {
  const canvas = frame.querySelector("[data-picture]");
  const box = canvas.getBoundingClientRect();
  const column = ((event.clientX - box.left) / box.width) * canvas.width;
  const row = ((event.clientY - box.top) / box.height) * canvas.height;
  return [
    clamp(Math.floor(row), 0, canvas.height - 1),
    clamp(Math.floor(column), 0, canvas.width - 1),
  ];
}

const isSideways = (from, to) =>
  Math.abs(to.clientX - from.clientX) > Math.abs(to.clientY - from.clientY);

/** Follow a press and the moves after it until the release, also outside the frame.
 *
 * A finger acts when it moves sideways or is lifted: upwards or downwards it scrolls the page, which
 * the browser reports as "pointercancel".
 */
function onDrag(frame, moved) {
  let start = null;
  let finger = null;
  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    start = spotOf(event, frame);
    finger = event.pointerType === "touch" ? event : null;
    if (!finger) moved(start, start);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!start || (finger && !isSideways(finger, event))) return;
    finger = null;
    moved(start, spotOf(event, frame));
  });
  frame.addEventListener("pointerup", () => {
    if (start && finger) moved(start, start);
    start = null;
  });
  frame.addEventListener("pointercancel", () => (start = null));
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Call moved(rows, columns) for arrow keys, without scrolling the page. */
function onArrows(frame, pixels, moved) {
  frame.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    moved(step[0] * pixels, step[1] * pixels);
  });
}

/** Mark results as those of an earlier state, with the time, while the caption says "restoring". */
function makeProgress(el) {
  let timer = 0;
  function restart() {
    clearInterval(timer);
    const waiting = el.querySelector(".xb-pending") !== null;
    const started = performance.now();
    el.classList.toggle("xb-waiting", waiting);
    el.setAttribute("aria-busy", waiting);
    function tick() {
      const text = `${((performance.now() - started) / 1000).toFixed(1)} s`;
      for (const seconds of el.querySelectorAll("[data-seconds]")) seconds.textContent = text;
    }
    tick();
    if (waiting) timer = setInterval(tick, 100);
  }
  return { restart, stop: () => clearInterval(timer) };
}
