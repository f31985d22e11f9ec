// The display of the explorer: it receives pictures and texts, and does not know who computed them.

import { createDisplay } from "./display.js";
import { watchHold } from "./gestures.js";
import { COMPARED, layout, PICTURES, TABS } from "./layout.js";
import { connectFrame, makeLens, setLine } from "./lens.js";
import { paint } from "./pictures.js";
import { makeProgress } from "./progress.js";
import { connectRegion, drawRegion } from "./region.js";
import { savePanels } from "./saving.js";
import { createSwipe } from "./swipe.js";
import { createTabs } from "./tabs.js";

/** The region of the pictures and the line of the profile, by default the middle row. */
function createOverlays(el) {
  let region = [0, 0, 1, 1, 1, 1];
  let line = null;
  function draw() {
    const [, , height, width] = region;
    el.style.setProperty("--xb-aspect", width / height);
    for (const svg of el.querySelectorAll(".xb-pictures .xb-overlay")) {
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const ends = line ?? [height >> 1, 0, height >> 1, width - 1];
      for (const element of svg.querySelectorAll("line")) setLine(element, ends);
    }
    drawRegion(el.querySelector("[data-region]"), region);
  }
  return {
    region: () => region,
    setRegion: (place) => ((region = place ?? region), draw()),
    setLine: (chosen) => ((line = chosen), draw()),
  };
}

/** Show the tab panel of a tab; the first two share one, in which the style sheet moves the pictures. */
function showTab(el, name) {
  const [pictures, compared] = ["pictures", "compare"].map((part) => el.querySelector(`.xb-${part}`));
  el.dataset.tab = name;
  pictures.hidden = name === "compare";
  compared.hidden = name !== "compare";
  const tab = el.querySelector('[role="tab"][aria-selected="true"]');
  pictures.setAttribute("aria-labelledby", tab.id);
  for (const frame of el.querySelectorAll("[data-frame]")) frame.tabIndex = name === "four" ? 0 : -1;
}

/** Paint the residual canvas with the residual or, at the choice of the user, with the true error. */
function connectErrorSwitch(el, latest, repaint) {
  const box = el.querySelector("[data-error-switch]");
  box.addEventListener("change", () => repaint("residual"));
  function shown() {
    const hasError = latest.get("error")?.picture.width > 0;
    box.disabled = !hasError;
    if (!hasError) box.checked = false;
    el.querySelector('[data-panel="residual"]').classList.toggle("xb-error", box.checked);
    return box.checked ? "error" : "residual";
  }
  return { shown, reset: () => (box.checked = false) };
}

const canvasOf = (el, name) => el.querySelector(`canvas[data-picture="${name}"]`);

const captionOf = (el, name) => el.querySelector(`[data-slot="caption-${name}"]`).textContent;

/** Panels of the present tab for `savePanels`. */
function visiblePanels(el, tab, split) {
  const layer = (name, from = 0) => ({ canvas: canvasOf(el, name), from });
  if (tab === "swipe") {
    const caption = ["noisy", "restored"].map((name) => captionOf(el, name)).join(" | ");
    return [{ caption, layers: [layer("noisy"), layer("restored", split)], isGrey: true }];
  }
  const names = tab === "four" ? PICTURES : COMPARED;
  return names.filter((name) => canvasOf(el, name).width > 1 && captionOf(el, name)).map((name) =>
    ({ caption: captionOf(el, name), layers: [layer(name)], isGrey: name !== "residual" }));
}

/** Pictures by name, painted into the canvas of that name; the last ones are kept. */
function createPictures(el) {
  const latest = new Map();
  const drawn = {};
  const errorSwitch = connectErrorSwitch(el, latest, repaint);
  function repaint(name) {
    drawn.residual = errorSwitch.shown();
    const { picture, pixels } = latest.get(drawn[name] ?? name) ?? {};
    if (picture) paint(canvasOf(el, name), picture, pixels);
  }
  function receive(pictures, buffers) {
    pictures.forEach((picture, i) => latest.set(picture.name, { picture, pixels: buffers[i] }));
    for (const { name } of pictures) repaint(name === "error" ? "residual" : name);
  }
  const reset = () => (errorSwitch.reset(), repaint("residual"));
  return { receive, reset };
}

function writeTexts(el, texts) {
  for (const [name, html] of Object.entries(texts)) {
    for (const element of el.querySelectorAll(`[data-slot="${name}"]`)) element.innerHTML = html;
  }
}

/** Report what the user draws; returns a function that ends it. */
function connectUser(el, frames, lens, region, callbacks) {
  for (const frame of frames) connectFrame(frame, lens, (line) => callbacks.line?.(line));
  connectRegion(el.querySelector("[data-region]"), region, (corner) => callbacks.corner?.(corner));
  return watchHold(el, (held) => callbacks.held?.(held));
}

/** The parts of the viewer; the first tab is chosen. */
function createParts(el, callbacks, tabs) {
  const frames = PICTURES.map((name) => el.querySelector(`[data-frame="${name}"]`));
  const lens = makeLens(frames);
  const overlays = createOverlays(el);
  const tabList = createTabs(el.querySelector('[role="tablist"]'), (name) => {
    showTab(el, name);
    callbacks.tab?.(name);
  });
  tabList.select(tabs[0]);
  return {
    lens, overlays, tabList,
    content: createPictures(el),
    display: createDisplay(el),
    progress: makeProgress(el),
    swipe: createSwipe(el, el.querySelector(".xb-swipe")),
    unwatch: connectUser(el, frames, lens, overlays.region, callbacks),
  };
}

/**
 * Build the viewer in an element, and return the functions that fill it.
 *
 * callbacks, each may be left out: line(line) and corner(corner) for what the user draws, tab(name)
 * for a chosen tab, held(boolean) for presses in the viewer. tabs: names of `TABS`.
 *
 * show({ pictures, texts, region }, buffers): pictures [{ name, height, width, palette }] with their
 * pixels in buffers, see `paint`; texts: HTML by slot; region: top, left, height, width in the
 * radiograph, and its height and width. place(name): element for controls. setLine, setTab, reset,
 * savePicture(name): save the present tab as a PNG. end(): stop following pointers.
 */
export function createViewer(el, callbacks = {}, tabs = Object.keys(TABS)) {
  el.classList.add("xb-explorer");
  el.innerHTML = layout(tabs);
  const { lens, overlays, tabList, content, display, progress, swipe, unwatch } = createParts(el, callbacks, tabs);
  function show({ pictures, texts, region }, buffers) {
    content.receive(pictures, buffers);
    writeTexts(el, texts);
    if ("caption-restored" in texts) progress.restart();
    overlays.setRegion(region);
    lens.draw();
  }
  return {
    show,
    place: (name) => el.querySelector(`[data-place="${name}"]`),
    setLine: overlays.setLine,
    setTab: tabList.select,
    tab: tabList.current,
    reset: () => (display.reset(), content.reset(), swipe.moveTo(50), tabList.select(tabs[0])),
    savePicture: (name) => savePanels(name, visiblePanels(el, tabList.current(), swipe.split()), display.shown),
    end: () => (unwatch(), progress.stop()),
  };
}
