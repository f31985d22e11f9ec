// Window and level of the grey pictures: they change the display only, and no number.

import { clamp } from "./gestures.js";

const WHITE = 255;

let displays = 0;

/** Text on which grey levels are distinguished. */
function describe(low, high, isFull) {
  if (isFull) return "Full range: 0 is black, 255 is white.";
  const [black, white] = [low, high].map((level) => Math.round(clamp(level, 0, WHITE)));
  return `Not the full range: only ${black} to ${white} of 255 are told apart, in the display only.`;
}

/** Connect the two sliders; the filter is applied by the style sheet to pictures in grey. */
export function createDisplay(el) {
  const box = el.querySelector(".xb-display");
  const [width, level] = box.querySelectorAll("input");
  const id = `xb-window-${++displays}`;
  box.querySelector("filter").id = id;
  let limits = [0, WHITE];
  function apply() {
    const [half, middle] = [Number(width.value) / 2, Number(level.value)];
    limits = [middle - half, middle + half];
    const isFull = limits[0] === 0 && limits[1] === WHITE;
    for (const part of box.querySelectorAll("filter > * > *")) {
      part.setAttribute("slope", WHITE / (2 * half));
      part.setAttribute("intercept", -limits[0] / (2 * half));
    }
    el.style.setProperty("--xb-window", isFull ? "none" : `url(#${id})`);
    for (const input of [width, level]) input.nextElementSibling.value = Math.round(input.value);
    box.querySelector("p").textContent = describe(...limits, isFull);
    box.querySelector("button").disabled = isFull;
  }
  function reset() {
    [width.value, level.value] = [WHITE, WHITE / 2];
    apply();
  }
  for (const input of [width, level]) input.addEventListener("input", apply);
  box.querySelector("button").addEventListener("click", reset);
  reset();
  const shown = (grey) => clamp((WHITE * (grey - limits[0])) / (limits[1] - limits[0]), 0, WHITE);
  return { reset, shown };
}
