// A language model that has read a text: its state and the distribution of the next token after every token.
import { Ngram } from "./ngram.js";
import { Recurrent } from "./recurrent.js";

export const makeModel = ({ description, arrays }) =>
  new (description.model === "ngram" ? Ngram : Recurrent)(description, arrays);

export class Reading {
  /** Begins with the token that ends a line, from which the first one is predicted. */
  constructor(model) {
    this.model = model;
    this.ids = [];
    this.steps = [model.step(model.initial(), model.start)]; // one more than tokens: the first is before any of them
    this.nats = [];
  }

  read(id) {
    const last = this.steps.at(-1);
    this.nats.push(-Math.log(last.probabilities[id]));
    this.ids.push(id);
    this.steps.push(this.model.step(last.state, id));
  }

  /** How many tokens `ids` and the text read so far have in common at their beginnings. */
  commonLength(ids) {
    let same = 0;
    while (same < ids.length && same < this.ids.length && ids[same] === this.ids[same]) same++;
    return same;
  }

  /** Reads `ids`; keeps what it has read already of the same beginning. */
  update(ids) {
    const same = this.commonLength(ids);
    for (const list of [this.ids, this.nats]) list.length = same;
    this.steps.length = same + 1;
    for (const id of ids.slice(same)) this.read(id);
  }

  get next() {
    return this.steps.at(-1).probabilities;
  }

  get meanNats() {
    return this.nats.length ? this.nats.reduce((sum, value) => sum + value, 0) / this.nats.length : NaN;
  }
}

/** A token drawn by these probabilities, sharpened by a temperature below 1; at 0 the most probable one. Never unknown. */
export function draw(probabilities, temperature, random) {
  const known = probabilities.map((value, id) => (id ? value : 0));
  const largest = known.reduce((one, other) => Math.max(one, other), 0);
  if (!temperature) return known.indexOf(largest);
  const weights = known.map((value) => (value / largest) ** (1 / temperature));
  let left = random() * weights.reduce((sum, value) => sum + value, 0);
  for (let id = 0; id < weights.length; id++) if ((left -= weights[id]) < 0) return id;
  return known.indexOf(largest);
}

/** The `count` most probable tokens: [id, probability], the most probable first. */
export function mostProbable(probabilities, count) {
  const found = [];
  probabilities.forEach((value, id) => {
    if (found.length === count && value <= found[count - 1][1]) return;
    const place = found.findIndex((other) => other[1] < value);
    found.splice(place < 0 ? found.length : place, 0, [id, value]);
    found.length = Math.min(found.length, count);
  });
  return found;
}
