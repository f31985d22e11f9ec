// Pointers and keys on a picture.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Position of a pointer in a picture: [row, column] in pixels. */
export function spotOf(event, frame) {
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
 * moved(from, to) receives two places as placeOf(event, frame) returns them. A finger acts when it
 * moves sideways or is lifted: upwards or downwards it scrolls the page, which the browser reports
 * as "pointercancel".
 */
export function onDrag(frame, moved, placeOf = spotOf) {
  let start = null;
  let finger = null;
  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    start = placeOf(event, frame);
    finger = event.pointerType === "touch" ? event : null;
    if (!finger) moved(start, start);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!start || (finger && !isSideways(finger, event))) return;
    finger = null;
    moved(start, placeOf(event, frame));
  });
  frame.addEventListener("pointerup", () => {
    if (start && finger) moved(start, start);
    start = null;
  });
  frame.addEventListener("pointercancel", () => (start = null));
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Call moved(rows, columns) for arrow keys, without scrolling the page. */
export function onArrows(frame, pixels, moved) {
  frame.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    moved(step[0] * pixels, step[1] * pixels);
  });
}

/** Call changed(true) for a press of a pointer or key in the element, changed(false) at its end. */
export function watchHold(el, changed) {
  let held = null;
  const setHeld = (now) => held !== now && changed((held = now));
  const press = (event) => el.contains(event.target) && setHeld(true);
  // A press moves the focus, which blurs another element: only a blur of the window is a release.
  const release = (event) => (event.type !== "blur" || event.target === window) && held && setHeld(false);
  const watched = { pointerdown: press, keydown: press };
  for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) watched[end] = release;
  for (const [name, act] of Object.entries(watched)) window.addEventListener(name, act, true);
  return () => {
    for (const [name, act] of Object.entries(watched)) window.removeEventListener(name, act, true);
  };
}
