// The pictures of a state, as the viewer takes them, each with its pixels.

import { GREY_LEVELS } from "./noise.js";

const LIMIT = 64 / GREY_LEVELS; // of the residual, as RESIDUAL_LIMIT of the explorer

const grey = (name, { height, width }, pixels) => ({ name, height, width, palette: "grey", pixels });

const signed = (name, image, pixels) => ({ ...grey(name, image, pixels), limits: [-LIMIT, LIMIT] });

const RESULTS = ["restored", "residual", "error"];

export const difference = (a, b) => a.map((value, i) => value - b[i]);

const black = ({ grey: { length } }) => new Float32Array(length);

/** The four pictures and the error without content, of the size of an image. */
export function emptyPictures(image) {
  const greys = ["noisy", "clean", "restored"].map((name) => grey(name, image, black(image)));
  return [...greys, signed("residual", image, black(image)), signed("error", image, black(image))];
}

/** The results without content. */
export const emptyResults = (image) => emptyPictures(image).filter(({ name }) => RESULTS.includes(name));

/**
 * Pictures that are known before the restoration; before: what is shown until now, or null. The
 * results of another image are removed; those of other noise are dimmed by the viewer.
 */
export function picturesBefore({ state, image, noisy }, before) {
  const isOther = image !== before?.image;
  const pictures = isOther ? emptyPictures(image) : [];
  if (isOther || state.as_it_is !== before.state.as_it_is) {
    pictures.push(grey("clean", image, state.as_it_is ? black(image) : image.grey));
  }
  return [...pictures, grey("noisy", image, noisy)];
}

/** Pictures of a restoration; without a clean image there is no error. */
export function picturesOf({ state, image, restored, residual }) {
  const error = state.as_it_is
    ? signed("error", { height: 0, width: 0 }, new Float32Array(0))
    : signed("error", image, difference(restored, image.grey));
  return [grey("restored", image, restored), signed("residual", image, residual), error];
}
