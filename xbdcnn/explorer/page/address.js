// The state in the address of the page, after "#", so that a link opens the same view.

/** Values by name, as text, in the address; null without any. */
export function readAddress() {
  const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  return Object.keys(values).length ? values : null;
}

/** Replace the values in the address, without an entry in the history; empty ones are left out. */
export function writeAddress(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  history.replaceState(history.state, "", `#${new URLSearchParams(given)}`);
}

/** Function that calls act() once, `pause` milliseconds after the last of several calls. */
export function afterPause(act, pause = 200) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause);
  };
}

/** Copy the address of the page; the button says whether it worked. */
export async function copyAddress(button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar";
  }
  setTimeout(() => (button.textContent = label), 2000);
}
