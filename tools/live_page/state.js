// The values of all controls: from the address of the page, and for it.

import { clamp } from "./explorer/gestures.js";

const isNumber = (text) => text.trim() !== "" && Number.isFinite(Number(text));

/** Values of each kind of field from text; undefined if the text is none. */
const READ = {
  slider: (text, { min, max, log }) =>
    isNumber(text) ? clamp(Number(text), ...[min, max].map((end) => (log ? 10 ** end : end))) : undefined,
  number: (text, { min, max }) => (isNumber(text) ? clamp(Math.round(Number(text)), min, max) : undefined),
  menu: (text, { options }) => options.find(({ value }) => value === text)?.value,
  box: (text) => (["true", "false"].includes(text) ? text === "true" : undefined),
};

/** The start, with the values that an address, as from readAddress(), gives; others are ignored. */
export function openedState(start, fields, given) {
  const state = { ...start };
  for (const field of fields) {
    const value = field.name in given ? READ[field.kind](given[field.name], field) : undefined;
    if (value !== undefined) state[field.name] = value;
  }
  const corner = /^(\d{1,6}),(\d{1,6})$/.exec(given.corner ?? "");
  return { ...state, corner: corner ? corner.slice(1).map(Number) : null };
}

/** The values for the address; a file of the user is never named there. */
export function addressOf({ eta, sigma, seed, image, reduced, as_it_is, corner }, isOwn) {
  const picture = isOwn ? {} : { image, reduced, as_it_is, corner: reduced ? null : corner };
  return { eta: eta.toFixed(2), sigma, seed, ...picture };
}
