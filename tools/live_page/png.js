// A grey image as a PNG of 16 bits, which a canvas cannot write.

const WHITE = 65535;
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0; // colour type

/** Promise of the bytes of a PNG of height x width values in [0, 1]; others are clipped. */
export async function encodePng(image, height, width) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 16);
  header.setUint8(9, GREY);
  const pixels = await deflate(rows(image, height, width));
  const chunks = [
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", pixels),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob([new Uint8Array(SIGNATURE), ...chunks]).arrayBuffer();
}

/** Rows of samples, most significant byte first, each after a zero: the row is not filtered. */
function rows(image, height, width) {
  const bytes = new DataView(new ArrayBuffer(height * (1 + 2 * width)));
  for (let row = 0, i = 0, place = 0; row < height; row++) {
    place++;
    for (let column = 0; column < width; column++, place += 2) {
      bytes.setUint16(place, Math.round(WHITE * Math.min(1, Math.max(0, image[i++]))));
    }
  }
  return bytes;
}

async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(name, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

/** Checksum of PNG (ISO/IEC 15948, Annex D). */
function crc32(bytes) {
  let rest = -1;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}
