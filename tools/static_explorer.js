// The static page: two sliders select one of the precomputed states.

const data = document.getElementById("content");
const content = JSON.parse(data.textContent);
const mapSide = Number(data.dataset.mapSide);
const sliders = ["eta", "sigma"].map((name) => document.getElementById(name));
const loaded = new Map();
let show = null;
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
  return new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

async function showState(row, column) {
  const key = (wanted = `${row}-${column}`);
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
  show({ pictures, texts: { ...content.texts, ...texts }, region }, buffers);
  preloadNeighbours(row, column);
}

/** Load the neighbours of a state, so that they are shown without delay. */
function preloadNeighbours(row, column) {
  for (const [r, c] of Object.values(STEPS).map((step) => [row + step[0], column + step[1]])) {
    if (content.states[`${r}-${c}`]) files(`${r}-${c}`).forEach(load);
  }
}

function moved() {
  const places = sliders.map((slider) => Number(slider.value));
  const levels = [content.etas[places[0]], content.sigmas[places[1]]];
  sliders.forEach((slider, i) => {
    slider.setAttribute("aria-valuetext", levels[i]);
    slider.nextElementSibling.value = levels[i];
  });
  showState(...places);
}

const model = {
  get: () => null,
  set() {},
  save_changes() {},
  send() {},
  on: (event, listener) => event === "msg:custom" && (show = listener),
};

render({ model, el: document.getElementById("explorer") });
[content.etas, content.sigmas].forEach((levels, i) => {
  sliders[i].max = levels.length - 1;
  sliders[i].value = levels.length >> 1;
  sliders[i].addEventListener("input", moved);
});
moved();
