// The buttons of the page.

import { copyAddress } from "./explorer/address.js";
import { addButton, addUpload } from "./explorer/controls.js";
import { save } from "./explorer/saving.js";
import { encodePng } from "./png.js";

async function saveRestored({ restored, image: { height, width } }) {
  save("restored.png", await encodePng(restored, height, width));
}

/**
 * Add the buttons to the viewer; returns enable(whether), for those that save a restoration.
 *
 * accepted: endings of files; openFile(file): a promise; newSeed() and reset(); latest(): what is
 * shown, as of createResults; tell(error).
 */
export function addButtons(viewer, accepted, { openFile, newSeed, reset, latest, tell }) {
  const place = viewer.place("buttons");
  addUpload(place, "Open PNG, JPEG or DICOM", accepted, (file) => openFile(file).catch(tell));
  addButton(place, "New noise", "Other noise of the same strength: the next seed.", newSeed);
  const image = addButton(place, "Download restored", "The restored image as a PNG of 16 bits.",
    () => saveRestored(latest()).catch(tell));
  const view = addButton(place, "Save view as PNG", "The pictures of the present tab, as displayed.",
    () => viewer.savePicture("view.png").catch(tell));
  addButton(place, "Copy link", "The address of this state; never of your own file.", copyAddress);
  addButton(place, "Reset", "The first state, with the full range of grey levels.", reset);
  return (whether) => [image, view].forEach((button) => (button.disabled = !whether));
}
