// The static page: two sliders select one of the precomputed states.

const data = document.getElementById("content");
const content = JSON.parse(data.textContent);
const mapSide = Number(data.dataset.mapSide);
const axes = { eta: content.etas, sigma: content.sigmas };
const middle = Object.fromEntries(Object.entries(axes).map(([name, levels]) => [name, levels.length >> 1]));
const loaded = new Map();
const place = { ...middle };
let wanted = "";

/** Promise of a file's decoded picture; every file is loaded once. */
function load(file) {
  if (!loaded.has(file)) {
    const image = new Image();
    image.src = `${file}.jpg`;
    loaded.set(file, image.decode().then(() => image));
  }
  return loaded.get(file);
}

const files = (key) => PICTURES.map((name) => (name === "clean" ? name : `${name}-${key}`));

function mapPixels(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function showState() {
  const key = (wanted = `${place.eta}-${place.sigma}`);
  controls.set(place);
  writeAddressSoon();
  const images = await Promise.all(files(key).map(load));
  if (key !== wanted) return;
  const { texts, maps } = content.states[key];
  const square = (name, side, palette) => ({ name, height: side, width: side, palette });
  const pictures = [
    ...PICTURES.map((name) => square(name, content.side, "grey")),
    ...Object.keys(maps).map((name) => square(name, mapSide, "diverging")),
  ];
  const buffers = [...images, ...Object.values(maps).map(mapPixels)];
  const region = [0, 0, content.side, content.side, content.side, content.side];
  viewer.show({ pictures, texts: { ...content.texts, ...texts }, region }, buffers);
  preloadNeighbours(place.eta, place.sigma);
}

/** Load the neighbours of a state, so that they are shown without delay. */
function preloadNeighbours(row, column) {
  for (const [r, c] of Object.values(STEPS).map((step) => [row + step[0], column + step[1]])) {
    if (content.states[`${r}-${c}`]) files(`${r}-${c}`).forEach(load);
  }
}

/** Take the levels of the address, if the page has them. */
function readLevels() {
  const given = readAddress() ?? {};
  for (const [name, levels] of Object.entries(axes)) {
    const index = levels.indexOf(Number(given[name] ?? NaN));
    if (index >= 0) place[name] = index;
  }
  viewer.setTab(given.tab);
}

function writeLevels() {
  const levels = Object.entries(axes).map(([name, values]) => [name, values[place[name]]]);
  writeAddress({ ...Object.fromEntries(levels), tab: viewer.tab() });
}

/** Save the view; a browser refuses it to a page that was opened as a file. */
async function saveView(button) {
  try {
    await viewer.savePicture("explorer-view.png");
  } catch {
    button.textContent = "Only from a web server";
  }
}

const writeAddressSoon = afterPause(writeLevels);
const viewer = createViewer(document.getElementById("explorer"), { tab: () => writeAddressSoon() }, ["swipe", "four"]);
// The states have no picture of the true error.
document.querySelector("[data-error-switch]").closest("label").remove();
const labels = { eta: "η (photons per grey level)", sigma: "σ (grey levels)" };
const fields = Object.entries(axes).map(([name, levels]) => ({
  name, kind: "slider", label: labels[name], min: 0, max: levels.length - 1, step: 1,
  texts: levels, note: name === "eta" ? "dose" : "",
}));
const controls = createControls(fields, () => viewer.place("controls"), (name, value) => {
  place[name] = value;
  showState();
});
addButton(viewer.place("buttons"), "Save view as PNG", "The pictures as displayed.", saveView);
addButton(viewer.place("buttons"), "Copy link", "The address of this state.", copyAddress);
addButton(viewer.place("buttons"), "Reset", "The first state.", () => {
  viewer.reset();
  Object.assign(place, middle);
  showState();
});
readLevels();
showState();
