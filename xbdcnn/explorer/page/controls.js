// Sliders, menus and boxes of the page, built from a list of fields; every page has its own list.

let controlCount = 0;

/** Text as HTML. */
export const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const optionHtml = ({ value, text }) => `<option value="${escaped(value)}">${escaped(text)}</option>`;

const bare = (field, id, more) => `<input id="${id}" name="${field.name}" ${more}>`;

const row = (field, id, control, more = "") => `
  <label for="${id}">${escaped(field.label)}</label>${more}${control}`;

const MARKUP = {
  slider: (field, id) => row(field, id,
    bare(field, id, `type="range" min="${field.min}" max="${field.max}" step="${field.step}"`),
    `<output for="${id}"></output>`),
  number: (field, id) => row(field, id, bare(field, id, `type="number" min="${field.min}" max="${field.max}"`)),
  menu: (field, id) => row(field, id, `<select id="${id}" name="${field.name}"></select>`),
  box: (field, id) => bare(field, id, 'type="checkbox"') + row(field, id, ""),
};

/** How the value of each kind of field is written into its control and read from it. */
const ACCESS = {
  slider: {
    write: (input, field, value) => (input.value = field.log ? Math.log10(value) : value),
    read: (input, field) => (field.log ? 10 ** Number(input.value) : Number(input.value)),
  },
  number: {
    write: (input, _, value) => (input.value = value),
    read: (input, { min, max }) => Math.min(Math.max(Math.round(input.value), min), max),
  },
  menu: { write: (input, _, value) => (input.value = value), read: (input) => input.value },
  box: { write: (input, _, value) => (input.checked = value), read: (input) => input.checked },
};

/** Text of a slider's value, which is also read out. */
const textOf = (field, value) => field.texts?.[value] ?? Number(value).toFixed(field.digits ?? 0);

function showText(input, field, value) {
  const text = textOf(field, value);
  input.previousElementSibling.value = text;
  input.setAttribute("aria-valuetext", text);
}

function addField(place, field, changed) {
  const box = document.createElement("div");
  box.className = `xb-field xb-field-${field.kind}`;
  const id = `xb-${++controlCount}-${field.name}`;
  box.innerHTML = MARKUP[field.kind](field, id) + (field.note ? `<p data-slot="${field.note}"></p>` : "");
  place.append(box);
  const input = box.querySelector("input, select");
  if (field.kind === "menu") input.innerHTML = field.options.map(optionHtml).join("");
  input.addEventListener(field.kind === "slider" ? "input" : "change", () => {
    const value = ACCESS[field.kind].read(input, field);
    if (field.kind === "slider") showText(input, field, value);
    changed(field.name, value);
  });
  return input;
}

/**
 * Add the fields to an element: sliders, menus, boxes and numbers.
 *
 * fields: [{ name, label, kind: "slider", "number", "menu" or "box" }] with min, max, step, log
 * (whether the slider is logarithmic), digits or texts of its value, options [{ value, text }] of a
 * menu, note: name of a text below it; place(field): the element of a field. changed(name, value)
 * is called for each change by the user. Returns set(values) and setOptions(name, options).
 */
export function createControls(fields, place, changed) {
  const inputs = new Map(fields.map((field) => [field.name, addField(place(field), field, changed)]));
  const byName = new Map(fields.map((field) => [field.name, field]));
  function set(values) {
    for (const [name, value] of Object.entries(values)) {
      const [input, field] = [inputs.get(name), byName.get(name)];
      const isTyped = input?.type === "number" && input === document.activeElement;
      if (!input || isTyped) continue;
      ACCESS[field.kind].write(input, field, value);
      if (field.kind === "slider") showText(input, field, value);
    }
  }
  function setOptions(name, options) {
    const { value } = inputs.get(name);
    inputs.get(name).innerHTML = options.map(optionHtml).join("");
    inputs.get(name).value = value;
  }
  return { set, setOptions };
}

/** Add a button; act(button) is called when it is pressed. */
export function addButton(place, label, title, act) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: label, title });
  button.addEventListener("click", () => act(button));
  place.append(button);
  return button;
}

/** Add a button that opens a file dialogue; chosen(file) receives the file. */
export function addUpload(place, label, accept, chosen) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept, hidden: true });
  input.addEventListener("change", () => {
    if (input.files.length) chosen(input.files[0]);
    input.value = ""; // so that the same file can be chosen again after it has been corrected
  });
  const button = addButton(place, label, "", () => input.click());
  place.append(input);
  return button;
}
