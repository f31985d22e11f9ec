// The choice of the graphics processor, which loads a larger runtime; only where there is one.

import { createControls } from "./explorer/controls.js";
import { prepare } from "./restoring.js";

const LOADING = "loading; until then the restoration continues without it …";

const failed = ({ message }) =>
  new Error(`The graphics processor cannot be used, and the restoration continues without it: ${message}`);

/**
 * Add the box of a field to an element if the browser offers a graphics processor.
 *
 * changed(): called when the choice is in effect; write(text): shows progress below the box;
 * tell(error).
 */
export async function offerGraphics(place, field, { changed, write, tell }) {
  if (!(await navigator.gpu?.requestAdapter())) return;
  const controls = createControls([field], () => place, choose);
  let latest = false;

  /** Load and use what has been chosen, unless the choice has changed meanwhile. */
  async function choose(name, isOn) {
    latest = isOn;
    write(isOn ? LOADING : "");
    const [use, error] = await prepare(isOn).then((found) => [found], (reason) => [null, reason]);
    if (latest !== isOn) return;
    write("");
    if (error) {
      controls.set({ [name]: (latest = false) });
      tell(failed(error));
    } else {
      use();
      changed();
    }
  }
}
