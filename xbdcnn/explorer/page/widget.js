// The explorer as a widget: Python computes, and the model carries values, pictures and texts.

import { afterPause, copyAddress, readAddress, writeAddress } from "./address.js";
import { addButton, addUpload, createControls } from "./controls.js";
import { createEdits } from "./edits.js";
import { save } from "./saving.js";
import { createViewer } from "./viewer.js";

/** Whether the address of the page belongs to the explorer: not in a notebook. */
const ownsPage = () => document.body.dataset.voila === "voila";

/** Remove the picture that the app shows until the kernel has sent its own. */
const removeFirst = () => document.getElementById("xb-first")?.remove();

/** The controls; returns what the model's changes do, and what follows a handled edit. */
function connectControls(model, viewer) {
  const edits = createEdits((values) => model.send({ edit: values }));
  const placeOf = (field) => viewer.place(field.place ?? "controls");
  const controls = createControls(model.get("fields"), placeOf, edits.add);
  function setValues() {
    const values = Object.entries(model.get("values"));
    controls.set(Object.fromEntries(values.filter(([name]) => !edits.isOpen(name))));
  }
  function setFields() {
    for (const { name, kind, options } of model.get("fields")) {
      if (kind === "menu") controls.setOptions(name, options);
    }
    setValues();
  }
  setValues();
  const handled = () => (edits.handled(), setValues());
  return [handled, { "change:values": setValues, "change:fields": setFields }];
}

/** The buttons; returns what the model's "downloadable" changes. */
function addButtons(model, viewer) {
  const place = viewer.place("buttons");
  addUpload(place, "Upload PNG or DICOM", model.get("accepted"), async (file) =>
    model.send({ upload: file.name }, undefined, [await file.arrayBuffer()]));
  const download = addButton(place, "Download restored",
    "The restored region as a PNG of 16 bits; xbdcnn denoise restores whole files.",
    () => model.send({ download: true }));
  addButton(place, "Save view as PNG", "The pictures of the present tab, as displayed.",
    () => viewer.savePicture("explorer-view.png"));
  if (ownsPage()) addButton(place, "Copy link", "The address of this state; never of an upload.", copyAddress);
  addButton(place, "Reset", "The first state, with the full range of grey levels.", () => {
    viewer.reset();
    model.send({ reset: true });
  });
  const enable = () => (download.disabled = !model.get("downloadable"));
  enable();
  return { "change:downloadable": enable };
}

/** Keep the state in the address, and apply that of an opened link. */
function connectAddress(model, viewer) {
  if (!ownsPage()) return {};
  const given = readAddress();
  if (given) {
    viewer.setTab(given.tab);
    model.send({ address: given });
  }
  const write = afterPause(() => writeAddress({ ...model.get("link"), tab: viewer.tab() }));
  return { "change:link": write, "change:tab": write };
}

/** Tell the model whether the curve is in view, since it is computed only then. */
function watchCurve(el, choose) {
  const observer = new IntersectionObserver((entries) => choose(entries.at(-1).isIntersecting));
  observer.observe(el.querySelector('[data-slot="psnr-curve"]'));
  return () => observer.disconnect();
}

export function render({ model, el }) {
  const choose = (name) => (value) => (model.set(name, value), model.save_changes());
  const callbacks = Object.fromEntries(["line", "corner", "tab", "held"].map((name) => [name, choose(name)]));
  const viewer = createViewer(el, callbacks);
  const [handled, controlEvents] = connectControls(model, viewer);
  function receive(message, buffers) {
    if (message.handled) return handled();
    if (message.download) return save(message.download, buffers[0]);
    viewer.show(message, buffers);
    return removeFirst();
  }
  const events = {
    "msg:custom": receive,
    "change:line": () => viewer.setLine(model.get("line")),
    ...controlEvents,
    ...addButtons(model, viewer),
  };
  for (const [name, act] of Object.entries(events)) model.on(name, act);
  const addressEvents = connectAddress(model, viewer);
  for (const [name, act] of Object.entries(addressEvents)) model.on(name, act);
  const unwatch = watchCurve(el, choose("curve_seen"));
  viewer.setLine(model.get("line"));
  model.send({ ready: true });
  return () => {
    viewer.end();
    unwatch();
    for (const [name, act] of Object.entries({ ...events, ...addressEvents })) model.off(name, act);
  };
}
