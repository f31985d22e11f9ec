// Names and values of the controls beside the canvas, for screen readers: before canvas.js.

const setAttribute = (element, name, value) =>
  element.getAttribute(name) !== value && element.setAttribute(name, value);

/** Name each slider by its label and read out its number; a logarithmic one has the exponent. */
function describeSliders(root) {
  for (const slider of root.querySelectorAll(".widget-hslider")) {
    const [handle, label, readout] = [".noUi-handle", ".widget-label", ".widget-readout"].map(
      (part) => slider.querySelector(part));
    if (!handle || !label || !readout) continue;
    setAttribute(handle, "aria-label", label.textContent);
    setAttribute(handle, "aria-valuetext", readout.textContent);
  }
}

/** Remove the number of files from an upload button, which is always 0: files are taken at once. */
function shortenUpload(root) {
  for (const { childNodes } of root.querySelectorAll(".widget-upload")) {
    for (const node of childNodes) {
      if (node.data?.endsWith(" (0)")) node.data = node.data.slice(0, -4);
    }
  }
}

/** Describe the controls of the explorer that contains `el`, if any, now and after each change. */
function describeControls(el) {
  let root = null;
  const describe = () => (describeSliders(root), shortenUpload(root));
  const observer = new MutationObserver(describe);
  // A front end may put the view into the page after it has rendered it.
  function start() {
    if (!el.isConnected) return void (waiting = requestAnimationFrame(start));
    root = el.closest(".xb-explorer");
    if (!root) return;
    describe();
    const changes = { subtree: true, childList: true, characterData: true };
    observer.observe(root, { ...changes, attributeFilter: ["aria-valuetext"] });
  }
  let waiting = 0;
  start();
  return () => (cancelAnimationFrame(waiting), observer.disconnect());
}
