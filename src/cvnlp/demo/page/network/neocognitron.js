// Operations of the neocognitron: on- and off-centre cells, similarity to templates, labelled cells.
import { tensor } from "./tensors.js";

/** The positive parts of x and of -x, as twice as many maps. */
export const rectify_both = {
  forward(node, [input]) {
    const [channels, height, width] = input.shape;
    const found = tensor([2 * channels, height, width]);
    found.data.set(input.data.map((x) => Math.max(x, 0)));
    found.data.set(input.data.map((x) => Math.max(-x, 0)), input.data.length);
    return found;
  },
  backward: (node, gradient, [input]) => [
    input.data.map((x, place) => (x > 0 ? gradient[place] : x < 0 ? -gradient[place + input.data.length] : 0)),
  ],
};

/** relu(excitation - threshold * inhibition) / (scale * (inhibition + small)), with one map of inhibition. */
export const similarity = {
  forward(node, [excitation, inhibition]) {
    const cells = inhibition.data.length;
    return tensor(excitation.shape, excitation.data.map((e, place) => {
      const v = inhibition.data[place % cells];
      return Math.max(e - node.threshold * v, 0) / (node.scale * (v + node.small));
    }));
  },
  backward(node, gradient, [excitation, inhibition]) {
    const cells = inhibition.data.length;
    const ofExcitation = new Float32Array(excitation.data.length), ofInhibition = new Float32Array(cells);
    excitation.data.forEach((e, place) => {
      const v = inhibition.data[place % cells], net = e - node.threshold * v, below = node.scale * (v + node.small);
      if (net <= 0) return;
      ofExcitation[place] = gradient[place] / below;
      ofInhibition[place % cells] += gradient[place] * (-node.threshold / below - (net * node.scale) / below ** 2);
    });
    return [ofExcitation, ofInhibition];
  },
};

/** The cell with the largest response of every class; -1: a class without cells, which has the response 0. */
function winners(node, responses, labels) {
  const best = new Array(node.classes).fill(-1);
  responses.forEach((response, cell) => {
    const label = labels[cell];
    if (best[label] < 0 || response > responses[best[label]]) best[label] = cell;
  });
  return best;
}

export const class_maximum = {
  forward(node, [input], { labels }) {
    const best = winners(node, input.data, labels.data);
    return tensor([node.classes], Float32Array.from(best, (cell) => (cell < 0 ? 0 : node.sharpness * input.data[cell])));
  },
  backward(node, gradient, [input], output, { labels }) {
    const found = new Float32Array(input.data.length);
    winners(node, input.data, labels.data).forEach((cell, label) => {
      if (cell >= 0) found[cell] += node.sharpness * gradient[label];
    });
    return [found];
  },
};
