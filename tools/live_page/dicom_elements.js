// Data elements of an uncompressed little endian DICOM file (PS3.5 Sec. 7, PS3.10 Sec. 7).

const PREAMBLE = 128;
const META_GROUP = 0x0002;
const TRANSFER_SYNTAX = 0x00020010;
const PIXEL_DATA = 0x7fe00010;
const ENDS = [0xfffee00d, 0xfffee0dd]; // delimiters of an item and of a sequence
const UNDEFINED = 0xffffffff;
const LONG = ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"];

const IMPLICIT = "1.2.840.10008.1.2";
const EXPLICIT = "1.2.840.10008.1.2.1";

const text = (view, at, length) =>
  String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length)).replace(/[\0 ]+$/, "");

/** Whether bytes begin as those of a DICOM file. */
export function isDicom(view) {
  return view.byteLength >= PREAMBLE + 4 && text(view, PREAMBLE, 4) === "DICM";
}

/** The element at a place: { tag, value: place of its value, length, isImplicit: of its content }. */
function elementAt(view, at, isImplicit) {
  const tag = ((view.getUint16(at, true) << 16) | view.getUint16(at + 2, true)) >>> 0;
  if (isImplicit || tag >>> 16 === 0xfffe) {
    return { tag, value: at + 8, length: view.getUint32(at + 4, true), isImplicit };
  }
  const kind = text(view, at + 4, 2);
  if (!LONG.includes(kind)) return { tag, value: at + 8, length: view.getUint16(at + 6, true), isImplicit };
  return { tag, value: at + 12, length: view.getUint32(at + 8, true), isImplicit: kind === "UN" };
}

/** Place after an element; one of undefined length ends at its delimiter. */
function placeAfter(view, { value, length, isImplicit }) {
  if (length !== UNDEFINED) return value + length;
  for (let at = value; ; ) {
    const inner = elementAt(view, at, isImplicit);
    if (ENDS.includes(inner.tag)) return inner.value;
    at = placeAfter(view, inner);
  }
}

/** Add the elements from a place on to a map by tag, as long as goesOn(element). */
function collect(view, start, isImplicit, elements, goesOn) {
  let at = start;
  while (at + 8 <= view.byteLength) {
    const element = elementAt(view, at, isImplicit);
    if (!goesOn(element)) return at;
    elements.set(element.tag, element);
    if (element.tag === PIXEL_DATA) return at;
    at = placeAfter(view, element);
  }
  return at;
}

/**
 * Functions of the elements of a file: has(tag), texts(tag) and whole(tag), the first unsigned
 * integer of 16 bits, undefined without one; pixels(): place and length of the pixel data.
 *
 * Throws an Error for other transfer syntaxes, and a RangeError for a file that ends early.
 */
export function readElements(view) {
  const elements = new Map();
  const start = collect(view, PREAMBLE + 4, false, elements, ({ tag }) => tag >>> 16 === META_GROUP);
  const texts = (tag) => {
    const element = elements.get(tag);
    return element?.length ? text(view, element.value, element.length).split("\\").map((part) => part.trim()) : [];
  };
  const [syntax] = texts(TRANSFER_SYNTAX);
  if (![IMPLICIT, EXPLICIT].includes(syntax)) {
    throw new Error("is a compressed or big endian DICOM file; decompress it, for instance by gdcmconv --raw");
  }
  collect(view, start, syntax === IMPLICIT, elements, () => true);
  return {
    has: (tag) => elements.has(tag),
    texts,
    whole: (tag) => (elements.get(tag)?.length ? view.getUint16(elements.get(tag).value, true) : undefined),
    pixels: () => elements.get(PIXEL_DATA) ?? { value: view.byteLength, length: 0 },
  };
}
