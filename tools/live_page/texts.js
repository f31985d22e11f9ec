// Texts beside the pictures, in the words of xbdcnn/explorer/captions.py and dose.py.

import { escaped } from "./explorer/controls.js";
import { GREY_LEVELS } from "./noise.js";

const AS_IT_IS = {
  sentence:
    "The radiograph is restored as it is: no noise is added, and there is no clean reference. " +
    "The network is told the η and σ of the sliders; if they exceed the noise of the radiograph, " +
    "details are lost.",
  "caption-clean": "<b>no clean reference</b>",
  "caption-noisy": "<b>as it is</b> · no noise added",
  dose: "",
};

const SCORES = [["PSNR (dB)", 2], ["SNR (dB)", 2], ["SSIM", 3]]; // names and decimals

const NO_READINGS = { whiteness: "", anatomy: "" };

/** Texts without a radiograph. */
export const NOTHING = {
  ...Object.fromEntries(["message", "sentence", "scores", "profile", "histogram"].map((name) => [name, ""])),
  ...NO_READINGS,
  "caption-noisy": "<b>noisy</b>",
  "caption-clean": "<b>clean</b>",
  "caption-restored": '<b class="xb-pending">reading the radiograph …</b>',
};

/** Texts that follow a change immediately; mean: of the clean image in [0, 1]; method: its name. */
export function noiseTexts({ eta, sigma, as_it_is }, mean, dose, method) {
  const added = {
    sentence: describeNoise(eta, sigma, GREY_LEVELS * mean),
    "caption-clean": "<b>clean</b> · g",
    "caption-noisy": `<b>noisy</b> · f, η ${eta.toFixed(2)}, σ ${sigma.toFixed(1)}`,
    dose: describeDose(eta, dose),
  };
  const pending = `<b class="xb-pending">restoring …</b> · ${method}`;
  return { ...(as_it_is ? AS_IT_IS : added), message: "", "caption-restored": pending };
}

const BACKENDS = { wasm: "WebAssembly", webgpu: "WebGPU" };

/** Texts of a restoration, as of `restore`, and of one that has failed. */
export const restoredTexts = (method, { milliseconds, backend }) => ({
  "caption-restored": `<b>restored</b> · ${method} · ${Math.round(milliseconds)} ms · ${BACKENDS[backend]}`,
});

export const errorText = (error) => `<p><b>${escaped(error.message)}</b></p>`;

export const failedTexts = (error) => ({
  ...NO_READINGS,
  message: errorText(error),
  "caption-restored": "not restored, see the message above",
});

/** Whole number, from a half to the even one as Python does. */
const rounded = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** Photons at mid grey, and the percentage of an ordinary exposure. */
export function describeDose(eta, { mid_grey, ordinary_eta }) {
  const share = (100 * eta) / ordinary_eta;
  const percent = share.toFixed(share < 2 ? 1 : 0);
  return `${rounded(eta * mid_grey)} photons at mid grey · ${percent} % of an ordinary exposure`;
}

/** The noise of a pixel of average brightness, by Eq. 1, in grey levels. */
function describeNoise(eta, sigma, grey) {
  const [quantum, total] = [grey / eta, grey / eta + sigma ** 2];
  if (total === 0) return "A black pixel without electronic noise stays black: it has no noise.";
  return (
    `In the model a pixel of average brightness (${grey.toFixed(0)} of 255) receives about ` +
    `${(eta * grey).toFixed(0)} photons, hence ${Math.sqrt(quantum).toFixed(1)} grey levels of quantum ` +
    `noise; with ${sigma.toFixed(1)} grey levels of electronic noise the total is ` +
    `${Math.sqrt(total).toFixed(1)}, and ${((100 * quantum) / total).toFixed(0)}% of the noise variance is ` +
    "quantum noise."
  );
}

/** Table of PSNR, SNR and SSIM of the noisy and of the restored image, null until it is known. */
export function scoreTable(noisy, restored) {
  const cell = (score, digits) => `<td>${score === undefined ? "…" : score.toFixed(digits)}</td>`;
  const line = ([name, digits], i) =>
    `<tr><th scope="row">${name}</th>${cell(noisy[i], digits)}${cell(restored?.[i], digits)}</tr>`;
  const head = ["score", "noisy", "restored"].map((name) => `<th scope="col">${name}</th>`).join("");
  return `<table><tr>${head}</tr>${SCORES.map(line).join("")}</table>`;
}
