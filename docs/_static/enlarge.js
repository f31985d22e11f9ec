/* Shows a picture at its own pixels in a dialog that scrolls; Escape or a click closes it. */
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  const picture = document.createElement("img");
  const close = document.createElement("button");
  dialog.className = "enlarged";
  close.textContent = "close";
  dialog.append(close, picture);
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);

  for (const link of document.querySelectorAll("a.enlarge")) {
    link.addEventListener("click", (event) => {
      // With these keys a reader opens the file in another tab or window.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      picture.src = link.href;
      picture.alt = link.querySelector("img").alt;
      dialog.setAttribute("aria-label", picture.alt);
      dialog.showModal();
      dialog.scrollTo(0, 0);
    });
  }
});
