// The radiographs of the page by name: those of its folder, and the files that the user opens.

import { fetchFile, readRadiograph } from "./reading.js";
import { reduceTo, shownImage } from "./region.js";

const OVERVIEW = 216; // pixels of the longer side of the small picture
const SMALLEST = 16; // pixels of the shorter side that the network accepts, also of a reduced image

/**
 * files: addresses by name; side: of the image that is shown. Returns imageOf(state), a promise of
 * the image with its name and overview, openFile(file), a promise of the name of a file of the user,
 * isOwn(name), and own(), the names of these files.
 */
export function createRadiographs(files, side) {
  const known = new Map();
  const opened = new Set();

  async function read(name) {
    const radiograph = await readRadiograph(await fetchFile(files[name]));
    known.set(name, { radiograph, overview: reduceTo(radiograph, OVERVIEW) });
  }

  async function imageOf(state) {
    const name = state.image;
    if (!known.has(name)) await read(name);
    const { radiograph, overview } = known.get(name);
    return { name, overview, ...shownImage(radiograph, state, side) };
  }

  async function openFile(file) {
    const radiograph = await readRadiograph(file).catch((error) => {
      throw new Error(`${file.name} ${error.message}`);
    });
    const { width, height } = radiograph;
    if (Math.min(width, height) < Math.max(SMALLEST, (SMALLEST / side) * Math.max(width, height))) {
      const size = `${width} × ${height} pixels`;
      throw new Error(`${file.name} has ${size}; choose a less narrow picture of at least 16 × 16`);
    }
    const name = `own: ${file.name}, ${width} × ${height}`;
    known.set(name, { radiograph, overview: reduceTo(radiograph, OVERVIEW) });
    opened.add(name);
    return name;
  }

  return { imageOf, openFile, isOwn: (name) => opened.has(name), own: () => [...opened] };
}
