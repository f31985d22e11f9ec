// SSIM (Eq. 7) with the defaults of xbdcnn.metrics.ssim.

import { gaussianWindow, meansInside } from "./gaussian.js";
import { remembered } from "./remembering.js";

const WINDOW = gaussianWindow(1.5, 5);
const [C1, C2] = [0.01 ** 2, 0.03 ** 2];

const meansOfClean = remembered((clean, width) => meansInside(clean, width, WINDOW));

/**
 * Mean SSIM of an image at the pixels whose window is inside, at most 1.
 *
 * image, clean: values in [0, 1], rows of `width`, at least 11 x 11; clean is not changed later.
 */
export function ssim(image, clean, width) {
  const meansOf = (values) => meansInside(values, width, WINDOW);
  const [mean, cleanMean] = [meansOf(image), meansOfClean(clean, width)];
  const power = meansOf(image.map((x, i) => x * x + clean[i] * clean[i]));
  const product = meansOf(image.map((x, i) => x * clean[i]));
  let sum = 0;
  for (let i = 0; i < mean.length; i++) {
    const [both, squares] = [mean[i] * cleanMean[i], mean[i] ** 2 + cleanMean[i] ** 2];
    const structure = (2 * (product[i] - both) + C2) / (power[i] - squares + C2);
    sum += ((2 * both + C1) / (squares + C1)) * structure;
  }
  return sum / mean.length;
}
