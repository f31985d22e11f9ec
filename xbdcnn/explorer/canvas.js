// Shows the explorer's pictures and texts, which Python or the static page provides; only the lens
// is computed here. The user's line and region are the model's "line" and "corner".

const PICTURES = ["noisy", "restored", "clean", "residual"];
const RESULTS = ["restored", "residual"];
const MAPS = ["eta", "sigma"];
const MAGNIFICATION = 4;
const LENS = 136;

const grey = Uint32Array.from({ length: 256 }, (_, i) => 0xff000000 | (i * 0x010101));
const diverging = Uint32Array.from({ length: 256 }, (_, i) => {
  const away = Math.min(Math.abs(i - 127.5) / 127.5, 1);
  const ends = i < 128 ? [33, 102, 172] : [178, 24, 43];
  const [r, g, b] = ends.map((end) => Math.round(247 + (end - 247) * away));
  return 0xff000000 | (b << 16) | (g << 8) | r;
});
const palettes = { grey, diverging };

const slot = (name, more = "") => `<div class="xb-${name}" data-slot="${name}" ${more}></div>`;

const PROGRESS = `
      <p class="xb-progress">not restored yet · <span data-seconds></span>
        <progress aria-label="restoration"></progress></p>`;

const panel = (name) => `
  <figure class="xb-panel">
    <figcaption data-slot="caption-${name}"></figcaption>
    <div class="xb-frame" data-frame="${name}" tabindex="0" role="group"
        aria-label="${name} picture: arrow keys move the lens, Enter moves the line there">
      <canvas data-picture="${name}" role="img" aria-label="${name}"></canvas>
      <svg class="xb-overlay" aria-hidden="true"><line class="xb-halo"/><line/><rect/></svg>
      <canvas class="xb-lens" width="${LENS}" height="${LENS}" hidden aria-hidden="true"></canvas>
      ${RESULTS.includes(name) ? PROGRESS : ""}
    </div>
  </figure>`;

const map = (name) => `
  <figure class="xb-map">
    <figcaption data-slot="caption-${name}"></figcaption>
    <canvas data-picture="${name}" role="img" aria-label="map of ${name}"></canvas>
  </figure>`;

const LAYOUT = `
  ${slot("sentence", 'aria-live="polite"')}${slot("message", 'role="alert"')}
  <div class="xb-main">
    <div class="xb-pictures">${PICTURES.map(panel).join("")}</div>
    <div class="xb-side">
      <figure class="xb-region">
        <figcaption data-slot="caption-overview"></figcaption>
        <div class="xb-frame" data-region tabindex="0" role="group"
            aria-label="whole radiograph: click, drag or arrow keys move the region">
          <canvas data-picture="overview" role="img" aria-label="whole radiograph"></canvas>
          <svg class="xb-overlay" aria-hidden="true"><rect/></svg>
        </div>
      </figure>
      ${slot("scores")}${slot("whiteness")}
      <div class="xb-maps">${MAPS.map(map).join("")}</div>${slot("maps-note")}
      ${slot("conventions")}
    </div>
  </div>
  <div class="xb-charts">${slot("profile")}${slot("histogram")}</div>
  ${slot("help")}`;

/** Draw palette indices (a DataView), or a loaded <img>, into a canvas of the same size. */
function paint(canvas, { height, width, palette }, pixels) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (pixels instanceof Element) return context.drawImage(pixels, 0, 0);
  if (!width || !height) return undefined;
  const picture = context.createImageData(width, height);
  const words = new Uint32Array(picture.data.buffer);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  for (let i = 0; i < words.length; i++) words[i] = palettes[palette][bytes[i]];
  return context.putImageData(picture, 0, 0);
}

function setLine(element, [row, column, lastRow, lastColumn]) {
  const ends = { x1: column + 0.5, y1: row + 0.5, x2: lastColumn + 0.5, y2: lastRow + 0.5 };
  for (const [name, value] of Object.entries(ends)) element.setAttribute(name, value);
}

function setRect(element, top, left, height, width) {
  const box = { x: left, y: top, height, width };
  for (const [name, value] of Object.entries(box)) element.setAttribute(name, value);
}

/** A lens in each of the four pictures that enlarges the same detail, or none. */
function makeLens(el) {
  const frames = PICTURES.map((name) => el.querySelector(`[data-frame="${name}"]`));
  let spot = null;
  function draw() {
    for (const frame of frames) {
      const [picture, lens] = frame.querySelectorAll("canvas");
      lens.hidden = !spot || !picture.width;
      const seen = LENS / MAGNIFICATION;
      const [top, left] = spot ? spot.map((place) => Math.round(place - seen / 2)) : [0, 0];
      setRect(frame.querySelector("rect"), top, left, spot ? seen : 0, spot ? seen : 0);
      if (lens.hidden) continue;
      const right = spot[1] > picture.width / 2;
      const low = spot[0] > picture.height / 2;
      lens.dataset.corner = `${low ? "top" : "bottom"}-${right ? "left" : "right"}`;
      const context = lens.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.fillRect(0, 0, LENS, LENS);
      context.drawImage(picture, left, top, seen, seen, 0, 0, LENS, LENS);
    }
  }
  const moveTo = (place) => ((spot = place), draw());
  return { draw, moveTo, frames, where: () => spot };
}

function connectPictures(el, model, lens) {
  const choose = (line) => (model.set("line", line), model.save_changes());
  for (const frame of lens.frames) {
    const canvas = frame.querySelector("[data-picture]");
    const across = (row) => [row, 0, row, canvas.width - 1];
    const lensSpot = () => lens.where() ?? [canvas.height >> 1, canvas.width >> 1];
    frame.addEventListener("pointermove", (event) => lens.moveTo(spotOf(event, frame)));
    frame.addEventListener("pointerleave", () => lens.moveTo(null));
    frame.addEventListener("focus", () => frame.matches(":focus-visible") && lens.moveTo(lensSpot()));
    frame.addEventListener("blur", () => lens.moveTo(null));
    onDrag(frame, (from, to) => {
      const far = Math.hypot(to[0] - from[0], to[1] - from[1]) > 4;
      choose(far ? [...from, ...to] : across(from[0]));
    });
    onArrows(frame, 2, (rows, columns) => {
      const [row, column] = lensSpot();
      const place = [row + rows, column + columns];
      lens.moveTo([clamp(place[0], 0, canvas.height - 1), clamp(place[1], 0, canvas.width - 1)]);
    });
    frame.addEventListener("keydown", (event) => event.key === "Enter" && choose(across(lensSpot()[0])));
  }
}

function connectRegion(el, model, current) {
  const frame = el.querySelector("[data-region]");
  const canvas = frame.querySelector("canvas");
  function moveTo(top, left) {
    const [, , height, width, rows, columns] = current();
    const corner = [clamp(top, 0, rows - height), clamp(left, 0, columns - width)];
    model.set("corner", corner.map(Math.round));
    model.save_changes();
  }
  onDrag(frame, (_, [row, column]) => {
    const [, , height, width, rows] = current();
    const scale = rows / canvas.height;
    moveTo((row + 0.5) * scale - height / 2, (column + 0.5) * scale - width / 2);
  });
  onArrows(frame, 32, (rows, columns) => moveTo(current()[0] + rows, current()[1] + columns));
}

/** Set the model's "held" to whether a pointer or key is pressed anywhere in the explorer. */
function watchHold(el, model) {
  const setHeld = (held) => model.get("held") !== held && (model.set("held", held), model.save_changes());
  const press = (event) => event.target.closest?.(".xb-explorer")?.contains(el) && setHeld(true);
  // A press moves the focus, which blurs another element: only a blur of the window is a release.
  const release = (event) =>
    (event.type !== "blur" || event.target === window) && model.get("held") && setHeld(false);
  const watched = { pointerdown: press, keydown: press };
  for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) watched[end] = release;
  for (const [name, act] of Object.entries(watched)) window.addEventListener(name, act, true);
  return () => {
    for (const [name, act] of Object.entries(watched)) window.removeEventListener(name, act, true);
  };
}

function drawOverlays(el, model, [top, left, height, width, rows, columns]) {
  const whole = height === rows && width === columns;
  const frame = el.querySelector("[data-region]");
  el.querySelector(".xb-region").hidden = whole;
  frame.querySelector("svg").setAttribute("viewBox", `0 0 ${columns} ${rows}`);
  setRect(frame.querySelector("rect"), top, left, whole ? 0 : height, whole ? 0 : width);
  for (const svg of el.querySelectorAll(".xb-pictures svg")) {
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const line = model.get("line") ?? [height >> 1, 0, height >> 1, width - 1];
    for (const element of svg.querySelectorAll("line")) setLine(element, line);
  }
}

/** Save a PNG as if a link to it were followed. */
function save(name, bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function render({ model, el }) {
  el.classList.add("xb-canvas");
  el.innerHTML = LAYOUT;
  let region = [0, 0, 1, 1, 1, 1];
  const lens = makeLens(el);
  const progress = makeProgress(el);
  const overlays = () => drawOverlays(el, model, region);
  function show(message, buffers) {
    if (message.download) return save(message.download, buffers[0]);
    region = message.region;
    message.pictures.forEach((picture, i) =>
      paint(el.querySelector(`[data-picture="${picture.name}"]`), picture, buffers[i]));
    for (const [name, html] of Object.entries(message.texts)) {
      el.querySelector(`[data-slot="${name}"]`).innerHTML = html;
    }
    if ("caption-restored" in message.texts) progress.restart();
    overlays();
    lens.draw();
  }
  connectPictures(el, model, lens);
  connectRegion(el, model, () => region);
  model.on("msg:custom", show);
  model.on("change:line", overlays);
  const unwatch = watchHold(el, model);
  const undescribe = describeControls(el);
  model.send({ ready: true });
  return () => (unwatch(), undescribe(), progress.stop(), model.off("msg:custom", show), model.off("change:line", overlays));
}

export default { render };
