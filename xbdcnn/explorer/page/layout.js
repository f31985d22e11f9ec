// The markup of the viewer: pictures, tabs, and places for texts and controls.

import { LENS } from "./lens.js";

export const PICTURES = ["noisy", "restored", "clean", "residual"];
export const COMPARED = ["compare-0", "compare-1", "compare-2"];
export const MAPS = ["eta", "sigma"];
export const TABS = { swipe: "Before / after", four: "Four panels", compare: "Compare" };
const RESULTS = ["restored", "residual"];
const TEXTS = ["scores", "whiteness", "anatomy"];
const CHARTS = ["psnr-curve", "histogram"];

const slot = (name, more = "") => `<div class="xb-${name}" data-slot="${name}" ${more}></div>`;

const PROGRESS = `
      <p class="xb-progress">not restored yet · <span data-seconds></span>
        <progress aria-label="restoration"></progress></p>`;

const ERROR_SWITCH = `
      <label class="xb-switch"><input type="checkbox" data-error-switch> true error</label>`;

const panel = (name) => `
  <figure class="xb-panel" data-panel="${name}">
    <figcaption><span data-slot="caption-${name}"></span>${name === "residual" ? ERROR_SWITCH : ""}</figcaption>
    <div class="xb-frame" data-frame="${name}" tabindex="-1" role="group"
        aria-label="${name} picture: arrow keys move the lens, Enter moves the line there">
      <canvas class="${name === "residual" ? "" : "xb-grey"}" data-picture="${name}" role="img" aria-label="${name}"></canvas>
      <svg class="xb-overlay" aria-hidden="true"><line class="xb-halo"/><line/><rect/></svg>
      <canvas class="xb-lens ${name === "residual" ? "" : "xb-grey"}" width="${LENS}" height="${LENS}" hidden aria-hidden="true"></canvas>
      ${RESULTS.includes(name) ? PROGRESS : ""}
    </div>
  </figure>`;

const SWIPE = `
  <div class="xb-swipe">
    <div class="xb-divider" tabindex="0" role="slider" aria-label="divider between noisy and restored"
        aria-orientation="horizontal" aria-valuemin="0" aria-valuemax="100"></div>
  </div>`;

const compared = (name) => `
  <figure class="xb-panel">
    <div data-place="${name}"></div>
    <div class="xb-frame"><canvas class="xb-grey" data-picture="${name}" role="img" aria-label="${name}"></canvas></div>
    <figcaption data-slot="caption-${name}"></figcaption>
  </figure>`;

const map = (name) => `
  <figure class="xb-map">
    <figcaption data-slot="caption-${name}"></figcaption>
    <canvas data-picture="${name}" role="img" aria-label="map of ${name}"></canvas>
  </figure>`;

const REGION = `
  <figure class="xb-region" hidden>
    <figcaption data-slot="caption-overview"></figcaption>
    <div class="xb-frame" data-region tabindex="0" role="group"
        aria-label="whole radiograph: click, drag or arrow keys move the region">
      <canvas data-picture="overview" role="img" aria-label="whole radiograph"></canvas>
      <svg class="xb-overlay" aria-hidden="true"><rect/></svg>
    </div>
  </figure>`;

const channel = (name) => `<feFunc${name} type="linear"/>`;

const DISPLAY = `
  <div class="xb-display" role="group" aria-label="display of the grey pictures">
    <svg width="0" height="0" aria-hidden="true"><filter color-interpolation-filters="sRGB">
      <feComponentTransfer>${["R", "G", "B"].map(channel).join("")}</feComponentTransfer></filter></svg>
    <label><span>window</span> <input aria-label="window" type="range" min="15" max="255" step="1"><output></output></label>
    <label><span>level</span> <input aria-label="level" type="range" min="0" max="255" step="0.5"><output></output></label>
    <p></p><button type="button">Full range</button>
  </div>`;

const tab = (id, name) => `
  <button type="button" role="tab" id="${id}-${name}" data-tab="${name}" tabindex="-1" aria-selected="false"
    aria-controls="${id}-${name === "compare" ? "compared" : "pictures"}">${TABS[name]}</button>`;

let viewers = 0;

/** HTML of the viewer with some of `TABS`. */
export function layout(tabs) {
  const id = `xb-viewer-${++viewers}`;
  return `
  <div class="xb-main">
    <div class="xb-stage">
      <div role="tablist" aria-label="views">${tabs.map((name) => tab(id, name)).join("")}</div>
      ${slot("message", 'role="alert"')}
      <div class="xb-pictures" id="${id}-pictures" role="tabpanel">${PICTURES.map(panel).join("")}${SWIPE}</div>
      <div class="xb-compare" id="${id}-compared" role="tabpanel" aria-labelledby="${id}-compare" hidden>
        ${COMPARED.map(compared).join("")}
      </div>
      ${slot("sentence", 'aria-live="polite"')}${slot("profile")}
    </div>
    <div class="xb-left"><div class="xb-controls">
      <div class="xb-fields" data-place="controls"></div>${REGION}${DISPLAY}
      <div class="xb-buttons" data-place="buttons"></div>
      ${slot("dose-note")}
    </div>
    <div class="xb-scored">${TEXTS.map((name) => slot(name)).join("")}${slot("conventions")}</div></div>
    <div class="xb-more">
      ${CHARTS.map((name) => slot(name)).join("")}
      <div><div class="xb-maps">${MAPS.map(map).join("")}</div>${slot("maps-note")}</div>
      ${slot("help")}
    </div>
  </div>`;
}
