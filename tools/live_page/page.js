// The page: a radiograph, noise of any eta and sigma, and its restoration by the network.

import { afterPause, copyAddress, readAddress, writeAddress } from "./explorer/address.js";
import { addButton, addUpload, createControls, escaped } from "./explorer/controls.js";
import { save } from "./explorer/saving.js";
import { createViewer } from "./explorer/viewer.js";
import { beforeFrame } from "./frames.js";
import { encodePng } from "./png.js";
import { createRadiographs } from "./radiographs.js";
import { createResults } from "./results.js";
import { addressOf, openedState } from "./state.js";

const CLEAN = ["image", "reduced", "corner"]; // the values that the clean image depends on

const content = JSON.parse(document.getElementById("content").textContent);
const radiographs = createRadiographs(content.files, content.side);
const given = readAddress() ?? {};
let state = openedState(content.start, content.fields, given);
let image = null;

const presetOf = ({ eta, sigma }) =>
  Object.keys(content.presets).find((name) => content.presets[name].join() === [eta, sigma].join()) ?? "";

function change(values) {
  state = { ...state, ...values };
  controls.set({ ...state, preset: presetOf(state) });
  if (CLEAN.some((name) => name in values)) showImage().catch(tell);
  else drawSoon();
  writeSoon();
}

/** Show the image of the present state, unless another has been chosen while it was read. */
async function showImage() {
  const wanted = state;
  if (image?.name !== wanted.image) {
    image = null;
    results.erase();
  }
  const found = await radiographs.imageOf(wanted);
  if (CLEAN.some((name) => state[name] !== wanted[name])) return;
  if (image?.overview !== found.overview) showOverview(found.overview);
  image = found;
  drawSoon();
}

function showOverview({ height, width, grey }) {
  viewer.show({ pictures: [{ name: "overview", height, width, palette: "grey" }], texts: {} }, [grey]);
}

/** Take what the user has changed. */
function edited(name, value) {
  if (name === "preset") {
    const [eta, sigma] = content.presets[value] ?? [state.eta, state.sigma];
    return change({ eta, sigma });
  }
  if (name === "image") {
    const isOwn = radiographs.isOwn(value);
    return change({ image: value, corner: null, as_it_is: isOwn, reduced: !isOwn });
  }
  return change({ [name]: name === "eta" ? Number(value.toFixed(2)) : value });
}

async function openFile(file) {
  const name = await radiographs.openFile(file);
  const { options } = content.fields.find((field) => field.name === "image");
  controls.setOptions("image", [...options, ...radiographs.own().map((value) => ({ value, text: value }))]);
  edited("image", name);
}

function tell(error) {
  viewer.show({ pictures: [], texts: { message: `<p><b>${escaped(error.message)}</b></p>` } }, []);
}

async function download() {
  const { restored, image: { height, width } } = results.latest();
  save("restored.png", await encodePng(restored, height, width));
}

function reset() {
  viewer.reset();
  change({ ...content.start, corner: null });
}

const newSeed = () => change({ seed: (state.seed + 1) % 10_000 });

/** Add the buttons; returns the one that saves the restored image. */
function addButtons() {
  const place = viewer.place("buttons");
  addUpload(place, "Open PNG, JPEG or DICOM", content.accepted, (file) => openFile(file).catch(tell));
  addButton(place, "New noise", "Other noise of the same strength: the next seed.", newSeed);
  const button = addButton(place, "Download restored", "The restored image as a PNG of 16 bits.", () => download().catch(tell));
  addButton(place, "Save view as PNG", "The pictures of the present tab, as displayed.",
    () => viewer.savePicture("view.png").catch(tell));
  addButton(place, "Copy link", "The address of this state; never of your own file.", copyAddress);
  addButton(place, "Reset", "The first state, with the full range of grey levels.", reset);
  return button;
}

const writeSoon = afterPause(() => writeAddress({ ...addressOf(state, radiographs.isOwn(state.image)), tab: viewer.tab() }));
const drawSoon = beforeFrame(() => image && results.update(state, image));
const viewer = createViewer(document.getElementById("explorer"), {
  tab: () => writeSoon(),
  line: (line) => results.showLine(line),
  corner: (corner) => change({ corner }),
}, ["swipe", "four"]);
viewer.show({ pictures: [], texts: content.texts }, []);
const controls = createControls(content.fields, () => viewer.place("controls"), edited);
const downloadButton = addButtons();
const results = createResults(viewer, content, () => (downloadButton.disabled = !results.latest()?.restored));
viewer.setTab(given.tab);
change({ ...state });
