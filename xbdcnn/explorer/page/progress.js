// The progress of a restoration, as long as the caption of the restored image says "restoring".

/** Mark results as those of an earlier state, with the time, at each restart(). */
export function makeProgress(el) {
  let timer = 0;
  function restart() {
    clearInterval(timer);
    const waiting = el.querySelector('[data-slot="caption-restored"] .xb-pending') !== null;
    const started = performance.now();
    el.classList.toggle("xb-waiting", waiting);
    el.setAttribute("aria-busy", waiting);
    function tick() {
      const text = `${((performance.now() - started) / 1000).toFixed(1)} s`;
      for (const seconds of el.querySelectorAll("[data-seconds]")) seconds.textContent = text;
    }
    tick();
    if (waiting) timer = setInterval(tick, 100);
  }
  return { restart, stop: () => clearInterval(timer) };
}
