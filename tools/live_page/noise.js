// Eq. 1-2 of the paper, as in xbdcnn/noise.py, with random numbers from a seeded generator.

import { remembered } from "./remembering.js";

export const GREY_LEVELS = 255;

const LARGE_MEAN = 10; // from which on a Poisson number is drawn by rejection

const [QUANTUM, ELECTRONIC] = [0, 1]; // numbers of the two independent random sequences of a seed

/**
 * Clean image plus quantum and electronic noise, clipped to [0, 1]: a new Float32Array.
 *
 * clean: values in [0, 1], not changed later; eta: photons per grey level, above 0, infinite for no
 * quantum noise; sigma: grey levels, at least 0; seed: integer from 0 to 2^32 - 1.
 */
export function addHybridNoise(clean, eta, sigma, seed) {
  const [exposed, electronic] = [quantumNoisy(clean, eta, seed), normalNumbers(clean.length, seed)];
  return exposed.map((p, i) => Math.min(1, Math.max(0, p + (sigma / GREY_LEVELS) * electronic[i])));
}

/** Clean image with quantum noise; remembered, so that a moved slider draws only what depends on it. */
const quantumNoisy = remembered((clean, eta, seed) => {
  if (!Number.isFinite(eta)) return clean;
  const [uniform, photonsAtWhite] = [uniformNumbers(seed, QUANTUM), GREY_LEVELS * eta];
  return clean.map((g) => poisson(photonsAtWhite * g, uniform) / photonsAtWhite);
});

const normalNumbers = remembered((count, seed) => {
  const uniform = uniformNumbers(seed, ELECTRONIC);
  return new Float32Array(count).map(() => normal(uniform));
});

/** Function that returns uniform numbers in (0, 1): the generator sfc32 of PractRand. */
function uniformNumbers(seed, sequence) {
  let [a, b, c, counter] = [sequence, 0, seed | 0, 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let step = 0; step < 15; step++) next(); // until the seed has reached every bit
  return () => (next() + 0.5) / 2 ** 32;
}

/** Standard normal number (Box and Muller 1958). */
function normal(uniform) {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Poisson number of a mean of at least 0. */
function poisson(mean, uniform) {
  return mean < LARGE_MEAN ? poissonByProduct(mean, uniform) : poissonByRejection(mean, uniform);
}

/** The number of uniform factors after which their product falls below exp(-mean). */
function poissonByProduct(mean, uniform) {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = uniform(); product > limit; product *= uniform()) count++;
  return count;
}

/** Transformed rejection, algorithm PTRS of Hörmann, Insurance: Math. and Economics 12, 1993. */
function poissonByRejection(mean, uniform) {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const quick = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const s = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / s + b) * u + mean + 0.43);
    if (s >= 0.07 && v <= quick) return count;
    if (count < 0 || (s < 0.013 && v > s)) continue;
    const height = Math.log((v * inverseAlpha) / (a / (s * s) + b));
    if (height <= count * Math.log(mean) - mean - logFactorial(count)) return count;
  }
}

const logFactorials = [0];

function logFactorial(count) {
  for (let n = logFactorials.length; n <= count; n++) {
    logFactorials.push(logFactorials[n - 1] + Math.log(n));
  }
  return logFactorials[count];
}
