// Operations on single numbers: activations, scales, sums.
import { tensor } from "./tensors.js";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The error function, by its series, and for large arguments by the continued fraction of its complement. */
function erf(x) {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 40; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (size + fraction));
}

const normal = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const cumulative = (x) => 0.5 * (1 + erf(x / Math.SQRT2));

// name -> [function, derivative], of the input and the slope
const ACTIVATIONS = {
  relu: [(x) => Math.max(x, 0), (x) => (x > 0 ? 1 : 0)],
  leaky_relu: [(x, slope) => (x > 0 ? x : slope * x), (x, slope) => (x > 0 ? 1 : slope)],
  elu: [(x, slope) => (x > 0 ? x : slope * Math.expm1(x)), (x, slope) => (x > 0 ? 1 : slope * Math.exp(x))],
  gelu: [(x) => x * cumulative(x), (x) => cumulative(x) + x * normal(x)],
  silu: [(x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))],
  sigmoid: [sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x))],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  scaled_tanh: [(x) => 1.7159 * Math.tanh((2 / 3) * x), (x) => 1.7159 * (2 / 3) * (1 - Math.tanh((2 / 3) * x) ** 2)],
};

/** An operation y = f(x) on each number, with the derivative at x. */
const each = (f, derivative) => ({
  forward: (node, [input]) => tensor(input.shape, input.data.map((x) => f(x, node))),
  backward: (node, gradient, [input]) => [gradient.map((value, place) => value * derivative(input.data[place], node))],
});

export const activation = each(
  (x, node) => ACTIVATIONS[node.kind][0](x, node.slope),
  (x, node) => ACTIVATIONS[node.kind][1](x, node.slope),
);
export const square = each((x) => x * x, (x) => 2 * x);
export const root = each((x, node) => Math.sqrt(x + node.small), (x, node) => 0.5 / Math.sqrt(x + node.small));
export const saturate = each((x, node) => x / (node.half + x), (x, node) => node.half / (node.half + x) ** 2);

/** The place in per-channel weights, or 0 if there is a single one. */
function channelOf(input, weight) {
  const cells = weight.data.length === 1 ? Infinity : input.data.length / weight.data.length;
  return (place) => Math.floor(place / cells);
}

export const scale = {
  forward(node, [input], { weight, bias }) {
    const channel = channelOf(input, weight);
    return tensor(input.shape, input.data.map((x, place) => x * weight.data[channel(place)] + bias.data[channel(place)]));
  },
  backward(node, gradient, [input], output, { weight }) {
    const channel = channelOf(input, weight);
    return [gradient.map((value, place) => value * weight.data[channel(place)])];
  },
};

export const multiply = {
  forward: (node, [input], { factors }) => tensor(input.shape, input.data.map((x, place) => x * factors.data[place])),
  backward: (node, gradient, inputs, output, { factors }) => [gradient.map((value, place) => value * factors.data[place])],
};

export const flatten = {
  forward: (node, [input]) => tensor([input.data.length], input.data),
  backward: (node, gradient) => [gradient],
};

export const add = {
  forward: (node, [one, other]) => tensor(one.shape, one.data.map((x, place) => x + other.data[place])),
  backward: (node, gradient) => [gradient, gradient],
};

export const subtract = {
  forward: (node, [one, other]) => tensor(one.shape, one.data.map((x, place) => x - other.data[place])),
  backward: (node, gradient) => [gradient, gradient.map((value) => -value)],
};
