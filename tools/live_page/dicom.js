// The grey image of an uncompressed DICOM file as it is displayed (PS3.3 C.7.6.3 and C.11.2).

import { readElements } from "./dicom_elements.js";

const TAGS = {
  samples: 0x00280002, meaning: 0x00280004, frames: 0x00280008, rows: 0x00280010, columns: 0x00280011,
  allocated: 0x00280100, stored: 0x00280101, highBit: 0x00280102, signed: 0x00280103,
  padding: 0x00280120, paddingEnd: 0x00280121, centre: 0x00281050, width: 0x00281051,
  intercept: 0x00281052, slope: 0x00281053, curve: 0x00281056,
  modalityTable: 0x00283000, windowTable: 0x00283010, shape: 0x20500020,
};

const DAMAGED = "is a damaged DICOM file; copy or export it again";

/** Radiograph as of readRadiograph; throws an Error that says why there is none, without the name. */
export function readDicom(view) {
  try {
    const elements = readElements(view);
    refuseOthers(elements);
    const { height, width, values } = storedValues(view, elements);
    return { height, width, grey: displayed(values, ...windowOf(elements, values)) };
  } catch (error) {
    throw error instanceof RangeError ? new Error(DAMAGED) : error;
  }
}

function refuseOthers({ has, texts, whole }) {
  const isGrey = /^MONOCHROME[12]$/.test(texts(TAGS.meaning)[0]) && whole(TAGS.samples) === 1;
  if (!isGrey) throw new Error("is not a grey DICOM image; choose a radiograph");
  if (Number(texts(TAGS.frames)[0] ?? 1) > 1) throw new Error("has several frames; export one of them");
  if (has(TAGS.modalityTable) || has(TAGS.windowTable) || texts(TAGS.curve)[0] === "SIGMOID") {
    throw new Error("is displayed by a lookup table, which this page cannot read; export it as PNG");
  }
}

/** Stored values of 8 or 16 allocated bits, without the bits above the highest one. */
function storedValues(view, { whole, pixels }) {
  const [height, width, allocated, bits] = [TAGS.rows, TAGS.columns, TAGS.allocated, TAGS.stored].map(whole);
  const { value, length } = pixels();
  const count = height * width;
  if (!(count > 0 && [8, 16].includes(allocated) && bits <= allocated)) throw new RangeError();
  if (length < (count * allocated) / 8) throw new RangeError();
  const [low, high] = [(whole(TAGS.highBit) ?? bits - 1) + 1 - bits, 32 - bits];
  const read = allocated === 8 ? (i) => view.getUint8(value + i) : (i) => view.getUint16(value + 2 * i, true);
  const shift = whole(TAGS.signed) ? (bit) => (bit << high) >> high : (bit) => (bit << high) >>> high;
  return { height, width, values: Float32Array.from({ length: count }, (_, i) => shift(read(i) >>> low)) };
}

/** Stored values of black and white: of the first window, or the smallest and largest one. */
function windowOf(elements, values) {
  const number = (name) => elements.texts(TAGS[name]).map(Number)[0];
  const hasWindow = number("width") && number("centre") !== undefined;
  const [black, white] = hasWindow ? linearWindow(elements, number) : extent(elements, number, values);
  const isExact = Number.isFinite(black) && Number.isFinite(white) && black !== white;
  if (!isExact) throw new Error("has an empty window; export it as PNG");
  const isInverted = elements.texts(TAGS.meaning)[0] === "MONOCHROME1" || elements.texts(TAGS.shape)[0] === "INVERSE";
  return isInverted ? [white, black] : [black, white];
}

function linearWindow({ texts }, number) {
  const half = texts(TAGS.curve)[0] === "LINEAR_EXACT" ? 0 : 0.5;
  const [centre, width] = [number("centre") - half, number("width") - 2 * half];
  if (!(width > 0)) return [0, 0];
  const [slope, intercept] = rescale(number);
  return [centre - width / 2, centre + width / 2].map((level) => (level - intercept) / slope);
}

/** Slope and intercept; both must be present to apply. */
function rescale(number) {
  const both = [number("slope"), number("intercept")];
  return both.includes(undefined) ? [1, 0] : both;
}

/** Range of the values except padding, from dark to bright. */
function extent({ whole }, number, values) {
  const signed = (value) => (whole(TAGS.signed) ? (value << 16) >> 16 : value);
  const [first, last] = [TAGS.padding, TAGS.paddingEnd].map(whole).filter((end) => end !== undefined).map(signed);
  const [low, high] = [Math.min(first, last ?? first), Math.max(first, last ?? first)];
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value >= low && value <= high) continue; // never without padding: both are not a number
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return rescale(number)[0] > 0 ? [least, most] : [most, least];
}

function displayed(values, black, white) {
  return values.map((value) => Math.min(1, Math.max(0, (value - black) / (white - black))));
}
