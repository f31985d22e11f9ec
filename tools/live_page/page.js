// The page: a radiograph, noise of any eta and sigma, and its restoration by the network.

import { afterPause, readAddress, writeAddress } from "./explorer/address.js";
import { createControls } from "./explorer/controls.js";
import { createViewer } from "./explorer/viewer.js";
import { addButtons } from "./buttons.js";
import { beforeFrame } from "./frames.js";
import { offerGraphics } from "./graphics.js";
import { createRadiographs } from "./radiographs.js";
import { createResults } from "./results.js";
import { addressOf, openedState } from "./state.js";
import { errorText } from "./texts.js";

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

const write = (name, text) => viewer.show({ pictures: [], texts: { [name]: text } }, []);

const tell = (error) => write("message", errorText(error));

function reset() {
  viewer.reset();
  change({ ...content.start, corner: null });
}

const newSeed = () => change({ seed: (state.seed + 1) % 10_000 });

const writeSoon = afterPause(() => {
  writeAddress({ ...addressOf(state, radiographs.isOwn(state.image)), tab: viewer.tab() });
});
const drawSoon = beforeFrame(() => image && results.update(state, image));
const viewer = createViewer(document.getElementById("explorer"), {
  tab: () => writeSoon(),
  line: (line) => results.showLine(line),
  corner: (corner) => change({ corner }),
}, ["swipe", "four"]);
viewer.show({ pictures: [], texts: content.texts }, []);
const controls = createControls(content.fields, () => viewer.place("controls"), edited);
const showProgress = (text) => write(content.graphics.note, text);
offerGraphics(viewer.place("controls"), content.graphics, { changed: drawSoon, write: showProgress, tell });
const latest = () => results.latest();
const enableSaving = addButtons(viewer, content.accepted, { openFile, newSeed, reset, latest, tell });
const results = createResults(viewer, content, () => enableSaving(latest()?.restored));
viewer.setTab(given.tab);
change({ ...state });
