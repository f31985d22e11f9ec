// Local means of an image by a Gaussian window, along one axis after the other.

/** Weights of 2 radius + 1 pixels, of sum 1; deviation: standard deviation in pixels. */
export function gaussianWindow(deviation, radius) {
  const weight = (_, i) => Math.exp(-0.5 * ((i - radius) / deviation) ** 2);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, weight);
  const sum = weights.reduce((total, value) => total + value);
  return weights.map((value) => value / sum);
}

/** Means at the pixels whose window is inside of the image, which has rows of `width` values. */
export function meansInside(image, width, window) {
  const border = window.length - 1;
  const [height, columns] = [image.length / width, width - border];
  const across = weightedSums(image, { stride: width, step: 1, rows: height, columns }, window);
  return weightedSums(across, { stride: columns, step: columns, rows: height - border, columns }, window);
}

/** Means at all pixels, the image continued by its mirror image, the pixel at the edge repeated. */
export function meansMirrored(image, width, window) {
  const border = window.length >> 1;
  return meansInside(mirrored(image, width, border), width + 2 * border, window);
}

/** Sums over a symmetric window of values `step` apart; rows begin `stride` values apart. */
function weightedSums(values, { stride, step, rows, columns }, window) {
  const sums = new Float32Array(rows * columns);
  const radius = window.length >> 1;
  for (let row = 0, i = 0; row < rows; row++) {
    let centre = row * stride + radius * step;
    for (let column = 0; column < columns; column++, centre++) {
      let sum = window[radius] * values[centre];
      for (let k = 1, away = step; k <= radius; k++, away += step) {
        sum += window[radius + k] * (values[centre - away] + values[centre + away]);
      }
      sums[i++] = sum;
    }
  }
  return sums;
}

function mirrored(image, width, border) {
  const height = image.length / width;
  const [rows, columns] = [height, width].map((length) => placesMirrored(length, border));
  const values = new Float32Array(rows.length * columns.length);
  let i = 0;
  for (const row of rows) {
    for (const column of columns) values[i++] = image[row * width + column];
  }
  return values;
}

/** Places from -border to length + border - 1, those outside of the axis mirrored into it. */
function placesMirrored(length, border) {
  const inPeriod = (place) => ((place % (2 * length)) + 2 * length) % (2 * length);
  const mirror = (place) => (place < length ? place : 2 * length - 1 - place);
  return Int32Array.from({ length: length + 2 * border }, (_, i) => mirror(inPeriod(i - border)));
}
