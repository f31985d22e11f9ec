// The page: a radiograph, noise of any eta and sigma, and its restoration by the network.

import { addHybridNoise } from "./noise.js";
import { draw, psnr, readSquare } from "./pictures.js";
import { restore } from "./restoring.js";

const SIDE = 384;
const element = (id) => document.getElementById(id);
const status = element("status");

let clean = null;
let busy = false;
let changed = false;
let working = "loading the network …";

/** Show noisy and restored image of the current values; the last change is never left out. */
async function update() {
  changed = true;
  if (busy) return;
  busy = true;
  while (changed) {
    changed = false;
    if (element("levels").checkValidity() && clean) await show().catch(tell);
  }
  busy = false;
}

async function show() {
  const [eta, sigma, seed] = ["eta", "sigma", "seed"].map((id) => element(id).valueAsNumber);
  status.textContent = working;
  const noisy = addHybridNoise(clean, eta, sigma, seed);
  const shown = clean;
  present("noisy", noisy, shown);
  const { restored, milliseconds } = await restore(noisy, SIDE, SIDE, eta, sigma);
  working = "restoring …";
  present("restored", restored, shown);
  draw(element("clean"), shown, SIDE);
  status.textContent = `restored in ${Math.round(milliseconds)} ms`;
}

function present(name, image, reference) {
  draw(element(name), image, SIDE);
  element(`${name}-psnr`).textContent = `${psnr(image, reference).toFixed(2)} dB`;
}

async function choose(blob) {
  clean = await readSquare(blob, SIDE);
  await update();
}

async function chooseBundled() {
  const response = await fetch(element("picture").value);
  if (!response.ok) throw new Error(`${response.url}: ${response.statusText}`);
  await choose(await response.blob());
}

function tell(error) {
  status.textContent = `error: ${error.message}`;
}

element("levels").addEventListener("input", update);
element("picture").addEventListener("change", () => chooseBundled().catch(tell));
element("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  choose(file).catch(() => tell(new Error(`${file.name} is not a picture; choose a PNG file`)));
});
chooseBundled().catch(tell);
