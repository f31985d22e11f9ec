// The part of a radiograph that is shown: a region of full resolution, or the whole one, reduced.

import { clamp } from "./explorer/gestures.js";

/**
 * Image { height, width, grey, place } of a radiograph, of at most side x side pixels.
 *
 * state.reduced: the whole radiograph; otherwise a region at full resolution, at state.corner [row,
 * column] or, if it is null, at the centre. place: the region as the viewer takes it.
 */
export function shownImage(radiograph, { reduced, corner }, side) {
  const { height, width } = radiograph;
  if (reduced) {
    const image = reduceTo(radiograph, side);
    return { ...image, place: [0, 0, image.height, image.width, image.height, image.width] };
  }
  const [rows, columns] = [height, width].map((length) => Math.min(length, side));
  const [top, left] = corner ?? [(height - rows) >> 1, (width - columns) >> 1];
  const place = [clamp(top, 0, height - rows), clamp(left, 0, width - columns), rows, columns];
  return { ...cut(radiograph, ...place), place: [...place, height, width] };
}

function cut({ width, grey }, top, left, rows, columns) {
  const part = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const start = (top + row) * width + left;
    part.set(grey.subarray(start, start + columns), row * columns);
  }
  return { height: rows, width: columns, grey: part };
}

/** The radiograph with a longer side of at most `side` pixels, each the mean of the area below it. */
export function reduceTo({ height, width, grey }, side) {
  const scale = Math.min(1, side / Math.max(height, width));
  if (scale === 1) return { height, width, grey };
  const [rows, columns] = [height, width].map((length) => Math.max(1, Math.round(length * scale)));
  const narrow = reduceRows(transpose(grey, height, width), width, height, columns);
  return { height: rows, width: columns, grey: reduceRows(transpose(narrow, columns, height), height, columns, rows) };
}

function transpose(values, rows, columns) {
  const turned = new Float32Array(values.length);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[i++];
  }
  return turned;
}

/** Weighted means of rows, of `rows` x `columns` values; a row that is cut counts by its part. */
function reduceRows(values, rows, columns, count) {
  const means = new Float32Array(count * columns);
  const step = rows / count;
  for (let target = 0; target < count; target++) {
    const [first, last] = [target * step, (target + 1) * step];
    for (let row = Math.floor(first); row < Math.min(rows, last); row++) {
      const weight = (Math.min(row + 1, last) - Math.max(row, first)) / step;
      for (let column = 0; column < columns; column++) {
        means[target * columns + column] += weight * values[row * columns + column];
      }
    }
  }
  return means;
}
