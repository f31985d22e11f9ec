// The small picture of the whole radiograph, in which the explored region is moved.

import { clamp, onArrows, onDrag } from "./gestures.js";
import { setRect } from "./lens.js";

/** Connect the frame; current() is the region, chooseCorner([row, column]) receives a new one. */
export function connectRegion(frame, current, chooseCorner) {
  const canvas = frame.querySelector("canvas");
  function moveTo(top, left) {
    const [, , height, width, rows, columns] = current();
    const corner = [clamp(top, 0, rows - height), clamp(left, 0, columns - width)];
    chooseCorner(corner.map(Math.round));
  }
  onDrag(frame, (_, [row, column]) => {
    const [, , height, width, rows] = current();
    const scale = rows / canvas.height;
    moveTo((row + 0.5) * scale - height / 2, (column + 0.5) * scale - width / 2);
  });
  onArrows(frame, 32, (rows, columns) => moveTo(current()[0] + rows, current()[1] + columns));
}

/** Show where the region is; the picture is hidden if it is the whole radiograph. */
export function drawRegion(frame, [top, left, height, width, rows, columns]) {
  const whole = height === rows && width === columns;
  frame.closest("figure").hidden = whole;
  frame.querySelector("svg").setAttribute("viewBox", `0 0 ${columns} ${rows}`);
  setRect(frame.querySelector("rect"), top, left, whole ? 0 : height, whole ? 0 : width);
}
