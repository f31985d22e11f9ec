// Picture files as grey levels in [0, 1].

import { readDicom } from "./dicom.js";
import { isDicom } from "./dicom_elements.js";
import { reduceTo } from "./region.js";

const WHITE = 255;
const LARGEST = 4096; // pixels of the longer side; browsers limit the area of a canvas

/** Bytes of a file of this page, as a Blob. */
export async function fetchFile(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${response.url}: ${response.statusText}`);
  return response.blob();
}

/**
 * Radiograph { height, width, grey: Float32Array in [0, 1], row by row } of a file: a picture that
 * the browser can show, its colours averaged, or DICOM. A longer side of more than LARGEST pixels is
 * reduced to them. Throws an Error that says why it cannot be read, without the name of the file.
 */
export async function readRadiograph(blob) {
  const view = new DataView(await blob.arrayBuffer());
  return isDicom(view) ? reduceTo(readDicom(view), LARGEST) : readPicture(blob);
}

async function readPicture(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" }).catch(() => {
    throw new Error("is not a picture that can be read; choose a PNG, JPEG or DICOM file");
  });
  const scale = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(scale * length)));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, width, height); // black behind transparent pixels
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { height, width, grey: averaged(context.getImageData(0, 0, width, height).data) };
}

function averaged(data) {
  const grey = new Float32Array(data.length / 4);
  for (let i = 0; i < grey.length; i++) grey[i] = (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / (3 * WHITE);
  return grey;
}
