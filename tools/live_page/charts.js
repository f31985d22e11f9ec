// The profile along a line and the histogram, drawn as in xbdcnn/explorer/drawing.py.

import { GREY_LEVELS } from "./noise.js";

const BINS = 64;
const HISTOGRAM_TOP = 0.06; // black borders may exceed it
const HEIGHT = 150;

/** SVG of grey level against pixel; images by name; line: [row, column, last row, last column]. */
export function profileChart(images, width, line) {
  const [row, column, lastRow, lastColumn] = line;
  const count = Math.max(Math.abs(lastRow - row), Math.abs(lastColumn - column));
  const at = (step) => {
    const part = count ? step / count : 0;
    const [y, x] = [row + part * (lastRow - row), column + part * (lastColumn - column)];
    return Math.round(y) * width + Math.round(x);
  };
  const curve = (image) => Array.from({ length: count + 1 }, (_, i) => [count ? i / count : 0, image[at(i)]]);
  return chart(images, curve, "Grey level along the line", ["0", `${count} pixels`], ["0", `${GREY_LEVELS}`], 640);
}

/** SVG of the share of pixels in each of BINS bins. */
export function histogramChart(images) {
  function curve(image) {
    const counts = new Uint32Array(BINS);
    for (const value of image) counts[Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)))]++;
    const height = (count) => Math.min(count / image.length / HISTOGRAM_TOP, 1);
    return Array.from(counts, (count, i) => [(i + 0.5) / BINS, height(count)]);
  }
  return chart(images, curve, "Share of pixels by grey level", ["0", `${GREY_LEVELS}`], ["0", `${100 * HISTOGRAM_TOP}%`], 340);
}

/** SVG of one curve per image, its points in [0, 1]; the style sheet gives the colours by name. */
function chart(images, curve, label, xEnds, yEnds, width) {
  const [left, right, top, bottom] = [30, width - 4, 22, HEIGHT - 16];
  const place = ([x, y]) => [left + x * (right - left), bottom - y * (bottom - top)].map((end) => end.toFixed(1));
  const polyline = ([name, image]) =>
    `<polyline class="xb-curve xb-${name}" points="${curve(image).map(place).join(" ")}"/>`;
  const key = ([name]) => `<tspan class="xb-key xb-${name}">${name}</tspan>`;
  const entries = Object.entries(images);
  return `<svg viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${label}">
    <path class="xb-axis" d="M${left},${top}V${bottom}H${right}"/>${entries.map(polyline).join("")}
    <text x="${left}" y="12">${label}</text>
    <text x="${right}" y="12" text-anchor="end">${entries.map(key).join("\u2003")}</text>
    <text x="${left - 4}" y="${top + 8}" text-anchor="end">${yEnds[1]}</text>
    <text x="${left - 4}" y="${bottom}" text-anchor="end">${yEnds[0]}</text>
    <text x="${left}" y="${HEIGHT - 3}">${xEnds[0]}</text>
    <text x="${right}" y="${HEIGHT - 3}" text-anchor="end">${xEnds[1]}</text></svg>`;
}
