// The divider between the noisy image, at its left, and the restored one, at its right.

import { clamp, onArrows, onDrag } from "./gestures.js";

const STEP = 2;

/** Share of the width at which an event is, in percent. */
function percentOf(event, element) {
  const box = element.getBoundingClientRect();
  return clamp((100 * (event.clientX - box.left)) / box.width, 0, 100);
}

/** Connect the divider in `surface`, which covers both pictures of `el`. */
export function createSwipe(el, surface) {
  const divider = surface.querySelector('[role="slider"]');
  let split = 50;
  function moveTo(percent) {
    split = clamp(percent, 0, 100);
    el.style.setProperty("--xb-split", `${split}%`);
    divider.setAttribute("aria-valuenow", Math.round(split));
    divider.setAttribute("aria-valuetext", `noisy on the left ${Math.round(split)} %`);
  }
  onDrag(surface, (_, percent) => moveTo(percent), percentOf);
  onArrows(divider, STEP, (rows, columns) => moveTo(split + columns - rows));
  divider.addEventListener("keydown", ({ key }) => {
    if (key === "Home" || key === "End") moveTo(key === "Home" ? 0 : 100);
  });
  moveTo(split);
  return { moveTo, split: () => split / 100 };
}
