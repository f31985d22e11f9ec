// Scores of an image, as in xbdcnn.metrics: both images have values in [0, 1].

import { ssim } from "./ssim.js";

/** 10 log10(1 / mean (image - clean)^2) in dB; infinite for equal images. */
export function psnr(image, clean) {
  let sum = 0;
  for (let i = 0; i < clean.length; i++) sum += (image[i] - clean[i]) ** 2;
  return 10 * Math.log10(clean.length / sum);
}

/** 10 log10(sum clean^2 / sum (image - clean)^2) in dB. */
export function snr(image, clean) {
  let signal = 0;
  for (const value of clean) signal += value ** 2;
  return psnr(image, clean) + 10 * Math.log10(signal / clean.length);
}

/** PSNR, SNR and SSIM of an image with rows of `width` values, in the order of `scoreTable`. */
export const scoresOf = (image, clean, width) => [psnr(image, clean), snr(image, clean), ssim(image, clean, width)];

export function mean(image) {
  let sum = 0;
  for (const value of image) sum += value;
  return sum / image.length;
}
