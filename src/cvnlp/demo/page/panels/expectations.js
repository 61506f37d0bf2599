// What every model expects at a position of the text, as a table.
import { mostProbable } from "../language/reading.js";
import { label } from "../language/tokens.js";
import { byId, element } from "../ui/elements.js";

const SHOWN = 8; // tokens of a model
const WIDTH = 4; // rem of a bar for probability 1

export function showExpectations(readings, ids, position, model) {
  const actual = position < ids.length ? label(ids[position], model) : null;
  byId("next-title").textContent = actual === null ? "Next token, after the whole text" : `Token ${position + 1}: “${actual}”`;
  const head = ["Model", ...(actual === null ? [] : ["Surprise"]), "Mean", "Expected tokens"];
  const rows = Array.from(readings, ([run, reading]) => {
    const { probabilities, contexts } = reading.steps[position];
    return element("tr", { dataset: { run } },
      element("th", { scope: "row" }, run, ...note(contexts, reading.model)),
      ...(actual === null ? [] : [number(reading.nats[position])]),
      number(reading.meanNats),
      element("td", {}, ...mostProbable(probabilities, SHOWN).map(([id, value]) => token(id, value, model))));
  });
  byId("expectations").replaceChildren(element("table", { className: "expected", "aria-label": "Expected tokens of each model" },
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col", textContent: name })))),
    element("tbody", {}, ...rows)));
}

const number = (nats) => element("td", { textContent: Number.isNaN(nats) ? "–" : `${nats.toFixed(3)} nats`, dataset: { value: String(nats) } });

const token = (id, value, model) => element("span", { className: "token", dataset: { id: String(id), value: String(value) } },
  element("b", { textContent: label(id, model) }),
  element("span", { textContent: value.toFixed(3) }),
  element("span", { className: "bar", style: { width: `${WIDTH * value}rem` } }));

/** The longest context that the n-gram model has counted. */
function note(contexts, { order }) {
  if (!contexts) return [];
  const { length, total } = contexts.at(-1);
  const seen = length === order - 1 ? `, seen ${total} times` : ""; // shorter ones count preceding tokens instead
  return [element("small", { textContent: `longest known context: ${length} tokens${seen}` })];
}
