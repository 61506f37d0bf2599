// Pooling, padding and means of maps.
import { tensor } from "./tensors.js";

const pair = (value) => (Array.isArray(value) ? value : [value, value]);

function pooledShape(node, [channels, height, width]) {
  const [tall, wide] = pair(node.size), [down, right] = pair(node.stride), [above, before] = pair(node.padding);
  return [
    channels,
    Math.floor((height + 2 * above - tall) / down) + 1,
    Math.floor((width + 2 * before - wide) / right) + 1,
  ];
}

/** Calls visit(output place, first input place of its window, rows, columns), without what is outside the map. */
function forEachWindow(node, [channels, height, width], [, rows, columns], visit) {
  const [tall, wide] = pair(node.size), [down, right] = pair(node.stride), [above, before] = pair(node.padding);
  for (let channel = 0, out = 0; channel < channels; channel++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, out++) {
        const top = Math.max(row * down - above, 0), left = Math.max(column * right - before, 0);
        const bottom = Math.min(row * down - above + tall, height), end = Math.min(column * right - before + wide, width);
        visit(out, (channel * height + top) * width + left, bottom - top, end - left);
      }
}

/** The place of the largest number of a window; of equal ones the first. */
function largest(data, first, rows, columns, width) {
  let best = first;
  for (let row = 0; row < rows; row++)
    for (let place = first + row * width; place < first + row * width + columns; place++)
      if (data[place] > data[best]) best = place;
  return best;
}

function sum(data, first, rows, columns, width) {
  let total = 0;
  for (let row = 0; row < rows; row++)
    for (let place = first + row * width; place < first + row * width + columns; place++) total += data[place];
  return total;
}

export const pool = {
  forward(node, [input]) {
    const found = tensor(pooledShape(node, input.shape)), width = input.shape[2];
    const [tall, wide] = pair(node.size);
    forEachWindow(node, input.shape, found.shape, (out, first, rows, columns) => {
      found.data[out] = node.kind === "max"
        ? input.data[largest(input.data, first, rows, columns, width)]
        : sum(input.data, first, rows, columns, width) / (tall * wide);
    });
    return found;
  },
  backward(node, gradient, [input], output) {
    const found = new Float32Array(input.data.length), width = input.shape[2];
    const [tall, wide] = pair(node.size);
    forEachWindow(node, input.shape, output.shape, (out, first, rows, columns) => {
      if (node.kind === "max") found[largest(input.data, first, rows, columns, width)] += gradient[out];
      else
        for (let row = 0; row < rows; row++)
          for (let place = first + row * width; place < first + row * width + columns; place++)
            found[place] += gradient[out] / (tall * wide);
    });
    return [found];
  },
};

export const global_average = {
  forward(node, [input]) {
    const [channels, height, width] = input.shape;
    const found = tensor([channels, 1, 1]), cells = height * width;
    for (let place = 0; place < input.data.length; place++)
      found.data[Math.floor(place / cells)] += input.data[place] / cells;
    return found;
  },
  backward(node, gradient, [input]) {
    const cells = input.shape[1] * input.shape[2];
    return [input.data.map((_, place) => gradient[Math.floor(place / cells)] / cells)];
  },
};

/** The row or column inside a map that a place of the border shows; -1: none. */
function inside(place, side, kind) {
  if (place >= 0 && place < side) return place;
  if (kind === "reflect") return place < 0 ? -place : 2 * (side - 1) - place;
  if (kind === "replicate") return place < 0 ? 0 : side - 1;
  return -1;
}

function forEachPadded(node, [channels, height, width], visit) {
  const [left, right, top, bottom] = node.padding;
  let out = 0;
  for (let channel = 0; channel < channels; channel++)
    for (let y = -top; y < height + bottom; y++)
      for (let x = -left; x < width + right; x++) {
        const row = inside(y, height, node.kind), column = inside(x, width, node.kind);
        visit(out++, channel, row < 0 || column < 0 ? -1 : (channel * height + row) * width + column);
      }
}

export const pad = {
  forward(node, [input], { value }) {
    const [channels, height, width] = input.shape, [left, right, top, bottom] = node.padding;
    const found = tensor([channels, height + top + bottom, width + left + right]);
    forEachPadded(node, input.shape, (out, channel, from) => {
      found.data[out] = from < 0 ? (value ? value.data[channel] : 0) : input.data[from];
    });
    return found;
  },
  backward(node, gradient, [input]) {
    const found = new Float32Array(input.data.length);
    forEachPadded(node, input.shape, (out, channel, from) => {
      if (from >= 0) found[from] += gradient[out];
    });
    return [found];
  },
};
