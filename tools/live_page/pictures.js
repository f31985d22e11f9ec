// Pictures as arrays of grey levels in [0, 1], and their PSNR.

/** Centre square of a picture file, reduced to side x side; Float32Array in [0, 1]. */
export async function readSquare(blob, side) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const length = Math.min(bitmap.width, bitmap.height);
  const corner = [bitmap.width - length, bitmap.height - length].map((rest) => rest >> 1);
  const context = squareContext(new OffscreenCanvas(side, side));
  context.fillRect(0, 0, side, side); // black behind transparent pixels
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, ...corner, length, length, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  return Float32Array.from({ length: side * side }, (_, i) => luma(data, 4 * i) / 255);
}

/** Luma of ITU-R BT.601, as Pillow computes it; exactly the grey level of a grey pixel. */
function luma(data, i) {
  return (299 * data[i] + 587 * data[i + 1] + 114 * data[i + 2]) / 1000;
}

/** Draw an array of side x side values on a canvas; values outside [0, 1] are clipped. */
export function draw(canvas, values, side) {
  canvas.width = canvas.height = side;
  const pixels = new ImageData(side, side);
  values.forEach((value, i) => {
    pixels.data.fill(255 * value, 4 * i, 4 * i + 3);
    pixels.data[4 * i + 3] = 255;
  });
  squareContext(canvas).putImageData(pixels, 0, 0);
}

function squareContext(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

/** 10 log10(1 / mean (image - clean)^2) in dB, as xbdcnn.metrics.psnr. */
export function psnr(image, clean) {
  const sum = clean.reduce((total, value, i) => total + (image[i] - value) ** 2, 0);
  return 10 * Math.log10(clean.length / sum);
}
