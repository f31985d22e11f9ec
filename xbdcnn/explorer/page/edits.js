// Changes of the controls on their way to the kernel.

/**
 * Send changes in one message at a time, so that a slow kernel is not given outdated ones.
 *
 * add(name, value) sends a change now, or the last value of each control after handled() has been
 * called for the message before. isOpen(name): whether a change of the control is not handled yet.
 */
export function createEdits(send) {
  let waiting = {};
  let underway = null;
  function next() {
    underway = Object.keys(waiting).length ? waiting : null;
    waiting = {};
    if (underway) send(underway);
  }
  function add(name, value) {
    waiting[name] = value;
    if (!underway) next();
  }
  return { add, handled: next, isOpen: (name) => name in waiting || name in (underway ?? {}) };
}
