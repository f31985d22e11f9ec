// Noise at once and its restoration after a pause, both shown in the viewer.

import { afterPause } from "./explorer/address.js";
import { histogramChart, profileChart } from "./charts.js";
import { addHybridNoise } from "./noise.js";
import { difference, emptyPictures, emptyResults, picturesBefore, picturesOf } from "./panels.js";
import { anatomyText, readingTexts, stopReading } from "./residual.js";
import { restore } from "./restoring.js";
import { mean, scoresOf } from "./scores.js";
import { errorText, failedTexts, noiseTexts, NOTHING, restoredTexts, scoreTable } from "./texts.js";

const NO_SCORES = "<p>No scores without a clean reference.</p>";

/** Scores of an image, null without a clean reference. */
const scored = ({ state, image }, found) => (state.as_it_is ? null : scoresOf(found, image.grey, image.width));

const scoresText = ({ before, after }) => (before ? scoreTable(before, after) : NO_SCORES);

/**
 * Return update(state, image), which shows a state; erase(), which removes it; showLine(line);
 * latest(): what is shown, { state, image, noisy, restored }, the last one null until it is computed;
 * null after erase(). changed(): called after each change of it.
 */
export function createResults(viewer, content, changed) {
  let task = null;
  let line = null;
  let busy = false;
  let wanted = false;

  function charts() {
    const { state, image, noisy, restored } = task;
    const images = state.as_it_is ? { input: noisy } : { noisy, clean: image.grey };
    if (restored) images.restored = restored;
    const middle = [image.height >> 1, 0, image.height >> 1, image.width - 1];
    return { profile: profileChart(images, image.width, line ?? middle), histogram: histogramChart(images) };
  }

  function show(pictures, texts) {
    const all = { scores: scoresText(task), ...charts(), ...texts };
    const buffers = pictures.map(({ pixels }) => pixels);
    viewer.show({ pictures, texts: all, region: task.image.place }, buffers);
    changed();
  }

  function update(state, image) {
    const { as_it_is, eta, sigma, seed } = state;
    const before = task;
    stopReading();
    const noisy = as_it_is ? image.grey : addHybridNoise(image.grey, eta, sigma, seed);
    task = { state: { ...state }, image, noisy, restored: null };
    task.before = scored(task, noisy);
    if (image !== before?.image) viewer.setLine((line = null));
    show(picturesBefore(task, before), noiseTexts(state, mean(image.grey), content.dose, content.method));
    restoreSoon();
  }

  function erase() {
    if (!task) return;
    const pictures = emptyPictures(task.image);
    task = null;
    viewer.show({ pictures, texts: NOTHING }, pictures.map(({ pixels }) => pixels));
    changed();
  }

  /** Restore what is shown now; a result that has become outdated meanwhile is not shown. */
  async function restoreShown() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted && task) {
      wanted = false;
      const current = task;
      const { noisy, image, state } = current;
      const size = [image.height, image.width];
      const result = await restore(noisy, ...size, state.eta, state.sigma).catch((error) => ({ error }));
      if (current === task) finish(result);
    }
    busy = false;
  }

  function finish({ restored, error, ...run }) {
    if (error) return show(emptyResults(task.image), failedTexts(error));
    const residual = difference(task.noisy, restored);
    Object.assign(task, { restored, residual, after: scored(task, restored) });
    show(picturesOf(task), { ...restoredTexts(content.method, run), ...readingTexts(task) });
    return readAnatomy(task);
  }

  async function readAnatomy(current) {
    const texts = await anatomyText(current).then(
      (anatomy) => (anatomy === null ? {} : { anatomy }),
      (error) => ({ anatomy: "", message: errorText(error) }),
    );
    if (current === task) viewer.show({ pictures: [], texts }, []);
  }

  function showLine(chosen) {
    if (!task) return;
    line = chosen;
    viewer.setLine(line);
    viewer.show({ pictures: [], texts: { profile: charts().profile } }, []);
  }

  const restoreSoon = afterPause(() => restoreShown(), 150);
  return { update, erase, showLine, latest: () => task };
}
