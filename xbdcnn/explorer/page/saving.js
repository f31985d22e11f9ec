// Files that the browser saves: bytes that the page received, and the present view as a PNG.

const TEXT = 20;
const GAP = 8;
const FONT = "13px system-ui, sans-serif";

/** Save a PNG as if a link to it were followed. */
export function save(name, bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Pixels of a canvas, or of its columns from `left` on, with the grey levels as displayed. */
function displayedPixels(canvas, left, shown) {
  const context = canvas.getContext("2d");
  const pixels = context.getImageData(left, 0, canvas.width - left, canvas.height);
  const { data } = pixels;
  for (let i = 0; shown && i < data.length; i++) if (i % 4 < 3) data[i] = shown(data[i]);
  return pixels;
}

/** Draw one panel with its caption at x. */
function drawPanel(context, x, { caption, layers, isGrey }, shown) {
  context.fillStyle = "#000";
  context.fillText(caption, x, TEXT - 6, layers[0].canvas.width);
  for (const { canvas, from } of layers) {
    const left = Math.min(Math.round(from * canvas.width), canvas.width - 1);
    context.putImageData(displayedPixels(canvas, left, isGrey && shown), x + left, TEXT);
  }
}

/**
 * Save panels beside each other, each with its caption above it, at one image pixel per pixel.
 *
 * panels: [{ caption, layers: [{ canvas, from: share of the width at which it begins }], isGrey }];
 * shown(grey level): the level displayed. Throws a SecurityError for pictures of another origin.
 */
export async function savePanels(name, panels, shown) {
  const width = panels.reduce((sum, { layers }) => sum + layers[0].canvas.width + GAP, -GAP);
  const height = TEXT + Math.max(...panels.map(({ layers }) => layers[0].canvas.height));
  const sheet = new OffscreenCanvas(width, height);
  const context = sheet.getContext("2d");
  Object.assign(context, { fillStyle: "#fff", font: FONT });
  context.fillRect(0, 0, width, height);
  let x = 0;
  for (const panel of panels) {
    drawPanel(context, x, panel, shown);
    x += panel.layers[0].canvas.width + GAP;
  }
  const blob = await sheet.convertToBlob({ type: "image/png" });
  save(name, await blob.arrayBuffer());
}
