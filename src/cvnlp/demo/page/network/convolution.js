// Convolution and linear layers, and their gradients with respect to the input.
import { tensor } from "./tensors.js";

const outputSide = (side, kernel, stride, padding, dilation) =>
  Math.floor((side + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;

function outputShape(node, weight, [, height, width]) {
  const [filters, , kernelRows, kernelColumns] = weight.shape;
  const { stride, padding, dilation } = node;
  return [
    filters,
    outputSide(height, kernelRows, stride[0], padding[0], dilation[0]),
    outputSide(width, kernelColumns, stride[1], padding[1], dilation[1]),
  ];
}

/**
 * For every row of the matrix of patches (channel, kernel row, kernel column) and every output position, the place in
 * the input, or -1 for the border. It depends on sizes alone, so each node keeps it.
 */
function patchPlaces(node, [channels, height, width], [, kernelRows, kernelColumns], [, rows, columns]) {
  const { stride, padding, dilation } = node;
  const found = new Int32Array(channels * kernelRows * kernelColumns * rows * columns).fill(-1);
  let index = 0;
  for (let channel = 0; channel < channels; channel++)
    for (let ky = 0; ky < kernelRows; ky++)
      for (let kx = 0; kx < kernelColumns; kx++)
        for (let row = 0; row < rows; row++) {
          const y = row * stride[0] + ky * dilation[0] - padding[0];
          for (let column = 0; column < columns; column++, index++) {
            const x = column * stride[1] + kx * dilation[1] - padding[1];
            if (y >= 0 && y < height && x >= 0 && x < width) found[index] = (channel * height + y) * width + x;
          }
        }
  return found;
}

const PLACES = new WeakMap(); // node -> its patchPlaces

function placesOf(node, input, weight, shape) {
  if (!PLACES.has(node)) PLACES.set(node, patchPlaces(node, input.shape, weight.shape.slice(1), shape));
  return PLACES.get(node);
}

/** total += sum of factors[i] * matrix[rows from `row` on][...], four rows at a time, for speed. */
function addRows(total, factors, start, count, matrix, row, cells) {
  let one = 0;
  for (; one + 4 <= count; one += 4) {
    const at = start + one, a = factors[at], b = factors[at + 1], c = factors[at + 2], d = factors[at + 3];
    let place = (row + one) * cells;
    for (let cell = 0; cell < cells; cell++, place++)
      total[cell] += a * matrix[place] + b * matrix[place + cells] + c * matrix[place + 2 * cells] + d * matrix[place + 3 * cells];
  }
  for (; one < count; one++) {
    const factor = factors[start + one];
    let place = (row + one) * cells;
    for (let cell = 0; cell < cells; cell++, place++) total[cell] += factor * matrix[place];
  }
}

export const conv2d = {
  forward(node, [input], { weight, bias }) {
    const shape = outputShape(node, weight, input.shape), cells = shape[1] * shape[2];
    const places = placesOf(node, input, weight, shape);
    const patches = new Float32Array(places.length);
    for (let index = 0; index < places.length; index++) if (places[index] >= 0) patches[index] = input.data[places[index]];
    const found = tensor(shape), total = new Float64Array(cells), count = weight.data.length / shape[0];
    for (let filter = 0; filter < shape[0]; filter++) {
      const group = Math.floor(filter / (shape[0] / node.groups)) * count;
      total.fill(bias.data[filter]);
      addRows(total, weight.data, filter * count, count, patches, group, cells);
      found.data.set(total, filter * cells);
    }
    return found;
  },
  backward(node, gradient, [input], output, { weight }) {
    const [filters, rows, columns] = output.shape, cells = rows * columns;
    const places = placesOf(node, input, weight, output.shape);
    const count = weight.data.length / filters, perGroup = filters / node.groups;
    const sums = new Float64Array(input.data.length), total = new Float64Array(cells), factors = new Float32Array(perGroup);
    for (let row = 0; row < count * node.groups; row++) {
      const first = Math.floor(row / count) * perGroup;
      for (let filter = 0; filter < perGroup; filter++) factors[filter] = weight.data[(first + filter) * count + (row % count)];
      total.fill(0);
      addRows(total, factors, 0, perGroup, gradient, first, cells);
      for (let cell = 0, index = row * cells; cell < cells; cell++, index++)
        if (places[index] >= 0) sums[places[index]] += total[cell];
    }
    return [new Float32Array(sums)];
  },
};

export const linear = {
  forward(node, [input], { weight, bias }) {
    const [outputs, inputs] = weight.shape;
    const found = tensor([outputs]);
    for (let unit = 0; unit < outputs; unit++) {
      let sum = bias.data[unit];
      const row = unit * inputs;
      for (let place = 0; place < inputs; place++) sum += weight.data[row + place] * input.data[place];
      found.data[unit] = sum;
    }
    return found;
  },
  backward(node, gradient, [input], output, { weight }) {
    const [outputs, inputs] = weight.shape;
    const sums = new Float64Array(inputs);
    for (let unit = 0; unit < outputs; unit++) {
      const factor = gradient[unit];
      if (factor === 0) continue;
      const row = unit * inputs;
      for (let place = 0; place < inputs; place++) sums[place] += factor * weight.data[row + place];
    }
    return [new Float32Array(sums)];
  },
};
