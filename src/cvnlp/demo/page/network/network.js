// A classifier as a list of operations: outputs of every node, and the gradient of a loss with respect to the image.
import * as convolution from "./convolution.js";
import * as neocognitron from "./neocognitron.js";
import * as pointwise from "./pointwise.js";
import * as pooling from "./pooling.js";
import * as rules from "./rules.js";
import { tensor } from "./tensors.js";

const OPERATIONS = { ...convolution, ...neocognitron, ...pointwise, ...pooling, ...rules };

export class Network {
  /** `description`: models/RUN.json; `arrays`: name -> tensor. */
  constructor(description, arrays) {
    Object.assign(this, description);
    this.weights = this.nodes.map((node) =>
      Object.fromEntries(Object.entries(node.arrays ?? {}).map(([name, key]) => [name, arrays[key]])));
  }

  /** Outputs of all nodes for an image, Float32Array of (C, H, W) from 0 to 1. */
  outputs(image) {
    const found = [tensor(this.shape, image)];
    for (let number = 1; number < this.nodes.length; number++) {
      const node = this.nodes[number];
      found.push(OPERATIONS[node.op].forward(node, node.inputs.map((one) => found[one]), this.weights[number]));
    }
    return found;
  }

  logits(image) {
    return this.outputs(image).at(-1).data;
  }

  /** The gradient with respect to the image, from the gradient with respect to the logits. */
  gradient(outputs, ofLogits) {
    const gradients = new Array(this.nodes.length);
    gradients[this.nodes.length - 1] = ofLogits;
    for (let number = this.nodes.length - 1; number > 0; number--) {
      const node = this.nodes[number], inputs = node.inputs.map((one) => outputs[one]);
      const found = OPERATIONS[node.op].backward(node, gradients[number], inputs, outputs[number], this.weights[number]);
      node.inputs.forEach((one, place) => {
        const before = gradients[one];
        gradients[one] = before ? before.map((value, index) => value + found[place][index]) : found[place];
      });
    }
    return gradients[0];
  }

  /** Numbers of the nodes that are shown, without the image. */
  get shown() {
    return this.nodes.flatMap((node, number) => (node.name ? [number] : []));
  }
}
