// Whether a residual contains anatomy, as in xbdcnn/explorer/reading.py.

import { gaussianWindow, meansMirrored } from "./gaussian.js";
import { addHybridNoise } from "./noise.js";
import { remembered } from "./remembering.js";
import { signed } from "./whiteness.js";

const DRAWS = 8; // of the noise, which give the range without removed anatomy

const [FINE, COARSE] = [1.5, 4.5].map((deviation) => gaussianWindow(deviation, Math.round(4 * deviation)));

/** Structures between the pixel size and the width of ribs: a difference of Gaussians. */
function detail(image, width) {
  const coarse = meansMirrored(image, width, COARSE);
  return meansMirrored(image, width, FINE).map((value, i) => value - coarse[i]);
}

const detailOfAnatomy = remembered(detail);

/**
 * Correlation of the fine structure of a residual and of an image, -1 to 1; 0 if one is constant.
 *
 * Both have rows of `width` values; the image is not changed later.
 */
export function correlationWithAnatomy(removed, anatomy, width) {
  return correlation(detail(removed, width), detailOfAnatomy(anatomy, width));
}

function correlation(one, other) {
  const means = [one, other].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  let [product, power, otherPower] = [0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i] - means[0], other[i] - means[1]];
    product += a * b;
    power += a * a;
    otherPower += b * b;
  }
  return power && otherPower ? product / Math.sqrt(power * otherPower) : 0;
}

/**
 * Promise of the smallest and largest correlation of the true noise with a clean image in DRAWS
 * draws, with the seeds that follow `seed`; null if isWanted() is false before one of them.
 */
export async function noiseRange(clean, width, { eta, sigma, seed }, isWanted) {
  const found = [];
  for (let number = 1; number <= DRAWS; number++) {
    await new Promise((resolve) => setTimeout(resolve)); // a message may be received meanwhile
    if (!isWanted()) return null;
    const noise = addHybridNoise(clean, eta, sigma, seed + number).map((value, i) => value - clean[i]);
    found.push(correlationWithAnatomy(noise, clean, width));
  }
  return [Math.min(...found), Math.max(...found)];
}

/** Sentence as HTML: the correlation of a residual, compared with the range of noise alone. */
export function anatomySentence(found, [low, high]) {
  const [verdict, remark] = verdictOf(found, low, high);
  return (
    `<p>Anatomy removed? <b>${verdict}</b>: ${remark}.<br><small>Correlation of the residual with the ` +
    `fine structure of the clean image ${signed(found)}; noise alone ${signed(low)} to ${signed(high)} ` +
    `in ${DRAWS} draws, outside of which chance is in 2 of ${DRAWS + 1} cases</small></p>`
  );
}

function verdictOf(found, low, high) {
  if (found > high) return ["yes", "fine structure of the clean image is in the residual"];
  if (found < low) return ["no, the reverse", "fine structure was amplified"];
  return ["not more than chance", "no removed structure can be shown"];
}
