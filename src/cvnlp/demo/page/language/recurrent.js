// Elman RNN, GRU and LSTM: one token at a time, with the values of their gates.
import { softmax, logSumExp } from "../network/tensors.js";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** bias + weight (rows first .. last) @ input, in double precision; four sums at a time, for speed. */
function product(weight, input, bias, first = 0, last = weight.shape[0]) {
  const columns = weight.shape[1], { data } = weight, found = new Float64Array(last - first);
  for (let row = first; row < last; row++) {
    let a = bias ? bias.data[row] : 0, b = 0, c = 0, d = 0, column = 0, place = row * columns;
    for (; column + 4 <= columns; column += 4, place += 4) {
      a += data[place] * input[column];
      b += data[place + 1] * input[column + 1];
      c += data[place + 2] * input[column + 2];
      d += data[place + 3] * input[column + 3];
    }
    for (; column < columns; column++, place++) a += data[place] * input[column];
    found[row - first] = a + b + c + d;
  }
  return found;
}

// Each cell: products of the input and of the state (with biases), and the state before -> new values by name
const CELLS = {
  rnn(input, recurrent, { hidden }, { activation }) {
    const f = activation === "relu" ? (x) => Math.max(x, 0) : Math.tanh;
    return { hidden: hidden.map((_, unit) => f(input[unit] + recurrent[unit])) };
  },
  gru(input, recurrent, { hidden }) {
    const size = hidden.length;
    const reset = hidden.map((_, unit) => sigmoid(input[unit] + recurrent[unit]));
    const update = hidden.map((_, unit) => sigmoid(input[size + unit] + recurrent[size + unit]));
    const candidate = hidden.map((_, unit) => Math.tanh(input[2 * size + unit] + reset[unit] * recurrent[2 * size + unit]));
    const next = hidden.map((before, unit) => (1 - update[unit]) * candidate[unit] + update[unit] * before);
    return { hidden: next, reset, update, candidate };
  },
  lstm(input, recurrent, { hidden, cell }) {
    const size = hidden.length;
    const gate = (number, f) => hidden.map((_, unit) => f(input[number * size + unit] + recurrent[number * size + unit]));
    const [write, forget, candidate, output] = [gate(0, sigmoid), gate(1, sigmoid), gate(2, Math.tanh), gate(3, sigmoid)];
    const next = cell.map((before, unit) => forget[unit] * before + write[unit] * candidate[unit]);
    return { hidden: next.map((value, unit) => output[unit] * Math.tanh(value)), cell: next,
      input: write, forget, candidate, output };
  },
};

export class Recurrent {
  constructor(description, arrays) {
    Object.assign(this, description);
    this.arrays = arrays;
  }

  /** A state of zeros: the values of every layer. */
  initial() {
    return this.layers.map(({ size }) => ({ hidden: new Float64Array(size), cell: new Float64Array(size) }));
  }

  /** `state` after the token, which has all values by layer, and `probabilities` of the next token. */
  step(state, token) {
    const { embedding } = this.arrays, columns = embedding.shape[1];
    let values = Float64Array.from(
      embedding.data.subarray(token * columns, (token + 1) * columns), (value) => value * this.embedding_scale);
    const after = this.layers.map((layer, number) => {
      const part = (name) => this.arrays[`layers.${number}.${name}`];
      const input = product(part("weight_ih"), values, part("bias_ih"));
      const recurrent = product(part("weight_hh"), state[number].hidden, part("bias_hh"));
      const found = CELLS[this.model](input, recurrent, state[number], layer);
      values = found.hidden;
      return found;
    });
    return { state: after, probabilities: this.distribution(values) };
  }

  /** The softmax of all tokens; with groups, of the frequent tokens and the groups, times that within each group. */
  distribution(features) {
    const rows = ({ weight, bias, rows: [first, last], projection }) => product(this.arrays[weight],
      projection ? product(this.arrays[projection], features) : features, bias && this.arrays[bias], first, last);
    const { parts: [frequent, ...rarer], groups } = this.output;
    const known = rows(frequent);
    if (!groups) return softmax(known);
    const head = Float64Array.from([...known, ...rows(groups)]), total = logSumExp(head);
    const within = rarer.map((part, group) => {
      const share = Math.exp(head[known.length + group] - total);
      return softmax(rows(part)).map((value) => share * value);
    });
    const found = new Float64Array(this.vocabulary.length);
    found.set(known.map((logit) => Math.exp(logit - total)));
    within.reduce((place, words) => (found.set(words, place), place + words.length), known.length);
    return found;
  }
}
