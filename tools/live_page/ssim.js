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
  const moments = [image, ...squaresAndProducts(image, clean)];
  const [mean, power, product] = moments.map((values) => meansInside(values, width, WINDOW));
  const cleanMean = meansOfClean(clean, width);
  let sum = 0;
  for (let i = 0; i < mean.length; i++) {
    const [both, squares] = [mean[i] * cleanMean[i], mean[i] ** 2 + cleanMean[i] ** 2];
    const structure = (2 * (product[i] - both) + C2) / (power[i] - squares + C2);
    sum += ((2 * both + C1) / (squares + C1)) * structure;
  }
  return sum / mean.length;
}

/** x^2 + y^2 and x y at each pixel; map() takes several times as long. */
function squaresAndProducts(image, clean) {
  const [squares, products] = [new Float32Array(image.length), new Float32Array(image.length)];
  for (let i = 0; i < image.length; i++) {
    squares[i] = image[i] * image[i] + clean[i] * clean[i];
    products[i] = image[i] * clean[i];
  }
  return [squares, products];
}
