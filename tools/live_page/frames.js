// At most one call per frame of the screen.

/** Function that calls act() before the next frame, once for all calls until then. */
export function beforeFrame(act) {
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => ((asked = false), act()));
    asked = true;
  };
}
