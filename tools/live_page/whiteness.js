// The structure of a residual: correlation of neighbouring pixels, in the words of the explorer.

const [WHITE, NEARLY_WHITE] = [0.02, 0.1]; // as in xbdcnn/explorer/drawing.py
const END = 0.3; // of the bar

/**
 * Correlation of adjacent pixels with the largest magnitude, as `no_reference.whiteness`: in [-1, 1],
 * null for a constant residual. residual: rows of `width` values.
 */
export function whiteness(residual, width) {
  const mean = residual.reduce((sum, value) => sum + value, 0) / residual.length;
  const centred = new Float64Array(residual).map((value) => value - mean);
  const power = centred.reduce((sum, value) => sum + value * value, 0);
  if (power === 0) return null;
  const steps = [[0, 1], [1, 0], [1, 1], [1, -1]]; // rows and columns to the neighbour
  const sums = steps.map((step) => sumOfProducts(centred, width, step));
  return sums.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)) / power;
}

/** Sum of the products of pixels with their neighbours `down` rows and `right` columns away. */
function sumOfProducts(values, width, [down, right]) {
  const step = down * width + right;
  const [first, last] = [Math.max(0, -right), width - Math.max(0, right)];
  let sum = 0;
  for (let row = 0; row < values.length - down * width; row += width) {
    for (let i = row + first; i < row + last; i++) sum += values[i] * values[i + step];
  }
  return sum;
}

/** HTML of the correlation: bar, number and verdict. */
export function whitenessMeter(correlation) {
  if (correlation === null) return "<p>Residual: nothing was removed.</p>";
  const size = Math.abs(correlation);
  const bar = `<meter min="0" max="${END}" low="${WHITE}" high="${NEARLY_WHITE}" optimum="0"`;
  return (
    `<p>Residual: <b>${verdict(size)}</b><br>${bar} value="${Math.min(size, END).toFixed(3)}" ` +
    'aria-label="correlation of neighbouring pixels"></meter>' +
    `<br><small>correlation of neighbours ${signed(correlation)}; noise alone: 0</small></p>`
  );
}

function verdict(size) {
  if (size > NEARLY_WHITE) return "contains structure";
  return size <= WHITE ? "white, as noise is" : "nearly white";
}

/** A number with its sign and three decimals. */
export const signed = (value) => `${value < 0 ? "" : "+"}${value.toFixed(3)}`;
