// Hand-written rules for digits: fractions of the ink in a 3 x 3 grid, width and height, each with a soft threshold.
import { tensor } from "./tensors.js";

const GRID = [["top left", "top", "top right"], ["left", "centre", "right"], ["bottom left", "bottom", "bottom right"]];
const SMALL = 1e-6;

/** Rounds halves to even numbers, as Python does. */
function round(x) {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}

/** The ends of three thirds of the inner five sevenths. */
const thirds = (side) => [0, 1, 2, 3].map((third) => round(side * (1 / 7 + (third * 5) / 21)));

/** Standard deviation of the place of the ink relative to the size, and the derivative by the ink at each place. */
function spread(profile) {
  const places = profile.map((_, index) => index / profile.length);
  const centre = profile.reduce((sum, ink, index) => sum + ink * places[index], 0);
  const weighted = profile.reduce((sum, ink, index) => sum + ink * (places[index] - centre) ** 2, 0);
  const value = Math.sqrt(weighted + 1e-12);
  const total = profile.reduce((sum, ink) => sum + ink, 0);
  const shift = -2 * (centre - total * centre); // by the centre, which depends on the ink
  return { value, slopes: places.map((place) => ((place - centre) ** 2 + shift * place) / (2 * value)) };
}

/** Measurements, and how each depends on the fraction of the ink in a pixel. */
function measure([channels, height, width], data) {
  const cells = height * width, ink = new Float64Array(cells);
  for (let place = 0; place < data.length; place++) ink[place % cells] += data[place] / channels;
  const sum = ink.reduce((total, value) => total + value, 0), total = Math.max(sum, SMALL);
  const share = ink.map((value) => value / total);
  const rows = new Array(height).fill(0), columns = new Array(width).fill(0);
  share.forEach((value, place) => {
    rows[Math.floor(place / width)] += value;
    columns[place % width] += value;
  });
  const across = spread(columns), down = spread(rows);
  const found = {
    width: { value: across.value, slope: (y, x) => across.slopes[x] },
    height: { value: down.value, slope: (y) => down.slopes[y] },
  };
  const tall = thirds(height), wide = thirds(width);
  GRID.forEach((names, row) => names.forEach((name, column) => {
    const within = (y, x) => y >= tall[row] && y < tall[row + 1] && x >= wide[column] && x < wide[column + 1];
    let value = 0;
    share.forEach((part, place) => { if (within(Math.floor(place / width), place % width)) value += part; });
    found[name] = { value, slope: (y, x) => (within(y, x) ? 1 : 0) };
  }));
  return { found, share, total, clamped: sum < SMALL };
}

function holds(node, [name, side, threshold], found) {
  const sign = side === "above" ? 1 : -1;
  const value = 1 / (1 + Math.exp((-sign * (found[name].value - threshold)) / node.softness));
  return { value, slope: (sign * value * (1 - value)) / node.softness };
}

export const rules = {
  forward(node, [input]) {
    const { found } = measure(input.shape, input.data);
    const scores = node.rules.map((own) => own.reduce((sum, rule) => sum + holds(node, rule, found).value, 0) / own.length);
    return tensor([scores.length], Float32Array.from(scores, (score) => node.sharpness * score));
  },
  backward(node, gradient, [input]) {
    const [channels, height, width] = input.shape, cells = height * width;
    const { found, share, total, clamped } = measure(input.shape, input.data);
    const factors = Object.fromEntries(Object.keys(found).map((name) => [name, 0]));
    node.rules.forEach((own, digit) => own.forEach((rule) => {
      factors[rule[0]] += (gradient[digit] * node.sharpness * holds(node, rule, found).slope) / own.length;
    }));
    const byShare = new Float64Array(cells);
    for (const [name, factor] of Object.entries(factors))
      if (factor) byShare.forEach((_, place) => {
        byShare[place] += factor * found[name].slope(Math.floor(place / width), place % width);
      });
    const mean = clamped ? 0 : byShare.reduce((sum, value, place) => sum + value * share[place], 0);
    return [input.data.map((_, place) => (byShare[place % cells] - mean) / total / channels)];
  },
};
