// A lens in each of the four pictures that enlarges the same detail, and the line of the profile.

import { clamp, onArrows, onDrag, spotOf } from "./gestures.js";

const MAGNIFICATION = 4;
export const LENS = 136;

export function setLine(element, [row, column, lastRow, lastColumn]) {
  const ends = { x1: column + 0.5, y1: row + 0.5, x2: lastColumn + 0.5, y2: lastRow + 0.5 };
  for (const [name, value] of Object.entries(ends)) element.setAttribute(name, value);
}

export function setRect(element, top, left, height, width) {
  const box = { x: left, y: top, height, width };
  for (const [name, value] of Object.entries(box)) element.setAttribute(name, value);
}

function drawLens(frame, spot) {
  const [picture, lens] = frame.querySelectorAll("canvas");
  lens.hidden = !spot || !picture.width;
  const seen = LENS / MAGNIFICATION;
  const [top, left] = spot ? spot.map((place) => Math.round(place - seen / 2)) : [0, 0];
  setRect(frame.querySelector("rect"), top, left, spot ? seen : 0, spot ? seen : 0);
  if (lens.hidden) return;
  const right = spot[1] > picture.width / 2;
  const low = spot[0] > picture.height / 2;
  lens.dataset.corner = `${low ? "top" : "bottom"}-${right ? "left" : "right"}`;
  const context = lens.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.fillRect(0, 0, LENS, LENS);
  context.drawImage(picture, left, top, seen, seen, 0, 0, LENS, LENS);
}

/** Lenses of all frames at one place, or none; draw() shows them after a change of the pictures. */
export function makeLens(frames) {
  let spot = null;
  const draw = () => frames.forEach((frame) => drawLens(frame, spot));
  const moveTo = (place) => ((spot = place), draw());
  return { draw, moveTo, where: () => spot };
}

/** Let pointer and keys on a frame move the lens and draw the line: chooseLine(line). */
export function connectFrame(frame, lens, chooseLine) {
  const canvas = frame.querySelector("[data-picture]");
  const across = (row) => [row, 0, row, canvas.width - 1];
  const lensSpot = () => lens.where() ?? [canvas.height >> 1, canvas.width >> 1];
  frame.addEventListener("pointermove", (event) => lens.moveTo(spotOf(event, frame)));
  frame.addEventListener("pointerleave", () => lens.moveTo(null));
  frame.addEventListener("focus", () => frame.matches(":focus-visible") && lens.moveTo(lensSpot()));
  frame.addEventListener("blur", () => lens.moveTo(null));
  onDrag(frame, (from, to) => {
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]) > 4;
    chooseLine(far ? [...from, ...to] : across(from[0]));
  });
  onArrows(frame, 2, (rows, columns) => {
    const [row, column] = lensSpot();
    const place = [row + rows, column + columns];
    lens.moveTo([clamp(place[0], 0, canvas.height - 1), clamp(place[1], 0, canvas.width - 1)]);
  });
  frame.addEventListener("keydown", (event) => event.key === "Enter" && chooseLine(across(lensSpot()[0])));
}
