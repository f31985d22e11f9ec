// Pictures as palette indices or numbers, drawn into canvases of the same size.

const grey = Uint32Array.from({ length: 256 }, (_, i) => 0xff000000 | (i * 0x010101));
const diverging = Uint32Array.from({ length: 256 }, (_, i) => {
  const away = Math.min(Math.abs(i - 127.5) / 127.5, 1);
  const ends = i < 128 ? [33, 102, 172] : [178, 24, 43];
  const [r, g, b] = ends.map((end) => Math.round(247 + (end - 247) * away));
  return 0xff000000 | (b << 16) | (g << 8) | r;
});
const palettes = { grey, diverging };

/** Palette indices: bytes are indices already; of a Float32Array, `limits` become 0 and 255. */
function indicesOf(pixels, [low, high]) {
  if (pixels instanceof Float32Array) {
    const indices = new Uint8ClampedArray(pixels.length); // from() takes several times as long
    for (let i = 0; i < indices.length; i++) indices[i] = (255 * (pixels[i] - low)) / (high - low);
    return indices;
  }
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

/**
 * Draw a picture: { height, width, palette: "grey" or "diverging", limits: [0, 1] if left out }.
 *
 * pixels: a Float32Array, or palette indices as a Uint8Array or DataView, row by row, or an <img>.
 */
export function paint(canvas, { height, width, palette, limits = [0, 1] }, pixels) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (pixels instanceof Element) return context.drawImage(pixels, 0, 0);
  if (!width || !height) return undefined;
  const picture = context.createImageData(width, height);
  const words = new Uint32Array(picture.data.buffer);
  const indices = indicesOf(pixels, limits);
  for (let i = 0; i < words.length; i++) words[i] = palettes[palette][indices[i]];
  return context.putImageData(picture, 0, 0);
}
