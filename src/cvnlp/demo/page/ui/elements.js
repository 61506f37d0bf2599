// Elements of the page.

export const byId = (id) => document.getElementById(id);

/** A new element with properties (`dataset` and `style` too, and attributes such as aria-label) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "dataset" || key === "style") Object.assign(made[key], value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Fills a select with [value, text] and keeps the choice if it is still there. */
export function setOptions(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => element("option", { value: String(value), textContent: text })));
  if (options.some(([value]) => String(value) === before)) select.value = before;
}

/** The whole number in a field, within its limits. */
export function whole(input) {
  const value = Math.round(Number(input.value)) || 0;
  const low = Number(input.min || 0), high = input.max === "" ? Infinity : Number(input.max);
  return Math.min(Math.max(value, low), high);
}

export function setLimits(input, low, high) {
  input.min = low;
  input.max = high;
  input.value = whole(input);
}

export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;

export const short = (value) =>
  (Math.abs(value) >= 0.001 || value === 0 ? value.toFixed(3) : value.toExponential(1)).replaceAll("-", "−");

/** A table of classes with bars; `data-value` has the probability in full. */
export function bars(labels, probabilities, caption) {
  const best = probabilities.reduce((one, value, index) => (value > probabilities[one] ? index : one), 0);
  const rows = labels.map((label, index) => element("tr", { dataset: { best: String(index === best) } },
    element("th", { scope: "row", textContent: label }),
    element("td", {}, element("div", { className: "bar", style: { width: `${100 * probabilities[index]}%` } })),
    element("td", { textContent: percent(probabilities[index]), dataset: { value: String(probabilities[index]) } })));
  return element("table", { className: "bars", "aria-label": caption }, element("tbody", {}, ...rows));
}
