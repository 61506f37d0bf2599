// One convolution, pooling or softmax, number by number.
import { logSumExp } from "../network/tensors.js";
import { byId, element, setLimits, setOptions, short, whole } from "../ui/elements.js";
import { largestSize, mapShape, paintMap, signedColour } from "../ui/heat.js";

const INTERVAL = 500; // milliseconds between two steps
const pair = (value) => (Array.isArray(value) ? value : [value, value]);
const OPERATIONS = ["conv2d", "pool", "linear"];

export class StepsPanel {
  constructor() {
    for (const id of ["step-map", "step-channel", "step-row", "step-column"]) byId(id).addEventListener("input", () => this.show());
    byId("step-layer").addEventListener("change", () => (this.place(0), this.show()));
    byId("step-next").addEventListener("click", () => this.step(1));
    byId("step-back").addEventListener("click", () => this.step(-1));
    byId("step-play").addEventListener("click", () => this.play(!this.timer));
  }

  update(picture) {
    this.picture = picture;
    const { nodes } = picture.network, steps = picture.network.shown.filter((number) => OPERATIONS.includes(nodes[number].op));
    setOptions(byId("step-layer"), [...steps.map((number) => [number, nodes[number].name]), [-1, "softmax of the logits"]]);
    this.show();
  }

  leave() {
    this.play(false);
  }

  get size() {
    const { outputs } = this.picture, number = Number(byId("step-layer").value);
    return number < 0 ? [outputs.at(-1).data.length, 1, 1] : mapShape(outputs[number].shape);
  }

  /** The window number `index`, row by row; for units and classes the unit itself. */
  place(index) {
    const [count, rows, columns] = this.size;
    if (rows * columns === 1) return (byId("step-map").value = index);
    byId("step-row").value = Math.floor(index / columns);
    byId("step-column").value = index % columns;
    return count;
  }

  step(by) {
    const [count, rows, columns] = this.size, cells = rows * columns;
    const now = cells === 1 ? whole(byId("step-map")) : whole(byId("step-row")) * columns + whole(byId("step-column"));
    const total = cells === 1 ? count : cells;
    this.place((now + by + total) % total);
    this.show();
  }

  play(on) {
    clearInterval(this.timer);
    this.timer = on ? setInterval(() => this.step(1), INTERVAL) : null;
    byId("step-play").setAttribute("aria-pressed", String(on));
    byId("step-play").textContent = on ? "Pause" : "Play";
  }

  show() {
    const number = Number(byId("step-layer").value), [count, rows, columns] = this.size;
    setLimits(byId("step-map"), 0, count - 1);
    setLimits(byId("step-row"), 0, rows - 1);
    setLimits(byId("step-column"), 0, columns - 1);
    for (const id of ["step-row", "step-column"]) byId(id).closest("label").hidden = rows * columns === 1;
    byId("step-channel-field").hidden = true;
    byId("step-map-field").firstChild.textContent = rows * columns === 1 ? "Output unit " : "Output map ";
    if (number < 0) return this.showSoftmax();
    const node = this.picture.network.nodes[number], input = this.picture.outputs[node.inputs[0]];
    return { conv2d: () => this.showConvolution(number, node, input), pool: () => this.showPooling(number, node, input),
      linear: () => this.showLinear(number, input) }[node.op]();
  }

  get chosen() {
    return ["step-map", "step-row", "step-column"].map((id) => whole(byId(id)));
  }

  /** Both maps, with the window and the output position marked; a click or the arrow keys move the position. */
  figures(number, channel, input, [top, left, tall, wide]) {
    const output = this.picture.outputs[number], [map, row, column] = this.chosen;
    const draw = (tensor, index, caption, box, moves) => {
      const [, height, width] = mapShape(tensor.shape), cells = height * width, scale = Math.max(1, Math.floor(224 / Math.max(width, height)));
      const data = tensor.data.subarray(index * cells, (index + 1) * cells);
      const small = element("canvas"), canvas = element("canvas", { width: width * scale, height: height * scale, "aria-label": caption });
      paintMap(small, [height, width], data, largestSize(data));
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, width * scale, height * scale);
      Object.assign(context, { strokeStyle: "#e69f00", lineWidth: 3 });
      context.strokeRect(box[1] * scale, box[0] * scale, box[3] * scale, box[2] * scale);
      if (moves) this.makeMovable(canvas, scale);
      else canvas.setAttribute("role", "img");
      return element("figure", {}, canvas, element("figcaption", { textContent: caption }));
    };
    const focused = document.activeElement?.dataset?.movable;
    byId("step-figures").replaceChildren(
      draw(input, channel, `Input map ${channel}, with the window`, [top, left, tall, wide], false),
      draw(output, map, `Output map ${map}: move with the arrow keys`, [row, column, 1, 1], true));
    if (focused) byId("step-figures").querySelector("[data-movable]").focus();
  }

  makeMovable(canvas, scale) {
    Object.assign(canvas, { tabIndex: 0 });
    canvas.dataset.movable = "true";
    canvas.setAttribute("role", "application");
    const moveTo = (row, column) => {
      [byId("step-row").value, byId("step-column").value] = [row, column];
      this.show();
    };
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width / scale;
      moveTo(Math.floor((event.clientY - box.top) * ratio), Math.floor((event.clientX - box.left) * ratio));
    });
    canvas.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
      if (!down && !right) return;
      event.preventDefault();
      const [, row, column] = this.chosen;
      moveTo(Math.max(row + down, 0), Math.max(column + right, 0));
    });
  }

  showConvolution(number, node, input) {
    const { weight, bias } = this.picture.network.weights[number], [map, row, column] = this.chosen;
    const [filters, perGroup, tall, wide] = weight.shape, [, height, width] = input.shape;
    byId("step-channel-field").hidden = perGroup === 1;
    setLimits(byId("step-channel"), 0, perGroup - 1);
    const channel = whole(byId("step-channel")), first = Math.floor(map / (filters / node.groups)) * perGroup;
    const top = row * node.stride[0] - node.padding[0], left = column * node.stride[1] - node.padding[1];
    const value = (own, y, x) => {
      const [line, place] = [top + y * node.dilation[0], left + x * node.dilation[1]];
      return line < 0 || place < 0 || line >= height || place >= width ? 0 : input.data[((first + own) * height + line) * width + place];
    };
    const kernel = (own, y, x) => weight.data[((map * perGroup + own) * tall + y) * wide + x];
    const sums = Array.from({ length: perGroup }, (_, own) => {
      let sum = 0;
      for (let y = 0; y < tall; y++) for (let x = 0; x < wide; x++) sum += value(own, y, x) * kernel(own, y, x);
      return sum;
    });
    const total = sums.reduce((sum, part) => sum + part, bias.data[map]);
    this.figures(number, first + channel, input, [top, left, (tall - 1) * node.dilation[0] + 1, (wide - 1) * node.dilation[1] + 1]);
    const others = perGroup > 1 ? ` + ${short(total - bias.data[map] - sums[channel])} of the other ${perGroup - 1} input maps` : "";
    this.answer(`${short(sums[channel])} of this input map${others} + bias ${short(bias.data[map])} = ${short(total)}`, total);
    this.tables([["Window", value], ["× weights", kernel], ["= products", (own, y, x) => value(own, y, x) * kernel(own, y, x)]]
      .map(([title, read]) => grid(title, tall, wide, (y, x) => read(channel, y, x))));
  }

  showPooling(number, node, input) {
    const [map, row, column] = this.chosen, [, height, width] = input.shape;
    const [tall, wide] = pair(node.size), [down, right] = pair(node.stride), [above, before] = pair(node.padding);
    const top = row * down - above, left = column * right - before;
    const value = (y, x) => (top + y < 0 || left + x < 0 || top + y >= height || left + x >= width ? null
      : input.data[(map * height + top + y) * width + left + x]);
    const values = Array.from({ length: tall * wide }, (_, index) => value(Math.floor(index / wide), index % wide)).filter((one) => one !== null);
    const found = node.kind === "max" ? Math.max(...values) : values.reduce((sum, one) => sum + one, 0) / (tall * wide);
    this.figures(number, map, input, [top, left, tall, wide]);
    this.answer(`${node.kind === "max" ? "The largest" : "The mean"} of ${values.length} numbers is ${short(found)}`, found);
    this.tables([grid("Window", tall, wide, (y, x) => value(y, x) ?? 0)]);
  }

  showLinear(number, input) {
    const { weight, bias } = this.picture.network.weights[number], [unit] = this.chosen, inputs = weight.shape[1];
    const parts = Array.from(input.data, (value, place) => ({ place, value, weight: weight.data[unit * inputs + place] }))
      .map((part) => ({ ...part, product: part.value * part.weight }));
    const total = parts.reduce((sum, part) => sum + part.product, bias.data[unit]);
    const largest = parts.sort((one, other) => Math.abs(other.product) - Math.abs(one.product)).slice(0, 8);
    const rest = total - bias.data[unit] - largest.reduce((sum, part) => sum + part.product, 0);
    byId("step-figures").replaceChildren();
    this.answer(`Sum of ${inputs} products + bias ${short(bias.data[unit])} = ${short(total)}`, total);
    this.tables([rowsTable("The largest products", ["input", "value", "weight", "product"],
      [...largest.map((part) => [part.place, part.value, part.weight, part.product]), ["all others", "", "", rest]])]);
  }

  showSoftmax() {
    const { outputs, network, probabilities } = this.picture, logits = Array.from(outputs.at(-1).data), [unit] = this.chosen;
    const largest = Math.max(...logits), sum = Math.exp(logSumExp(logits) - largest);
    byId("step-figures").replaceChildren();
    this.answer(`exp(${short(logits[unit])} − ${short(largest)}) / ${short(sum)} = ${short(probabilities[unit])} for class ${network.classes[unit]}`, probabilities[unit]);
    this.tables([rowsTable("Softmax", ["class", "logit", "exp(logit − largest)", "divided by the sum"],
      logits.map((logit, index) => [network.classes[index], logit, Math.exp(logit - largest), probabilities[index]]), unit)]);
  }

  answer(text, value) {
    byId("step-answer").textContent = text;
    byId("step-answer").dataset.value = String(value);
  }

  tables(tables) {
    byId("step-tables").replaceChildren(element("div", { className: "tables" }, ...tables));
  }
}

/** Numbers with their colours. */
function grid(title, tall, wide, read) {
  const numbers = Array.from({ length: tall }, (_, y) => Array.from({ length: wide }, (_, x) => read(y, x)));
  const largest = largestSize(numbers.flat()) || 1;
  const cell = (value) => {
    const made = element("td", { textContent: short(value) }), [r, g, b] = signedColour(0.35 * (value / largest));
    made.style.background = `rgb(${r} ${g} ${b})`;
    return made;
  };
  return element("table", { className: "numbers" }, element("caption", { textContent: title }),
    element("tbody", {}, ...numbers.map((row) => element("tr", {}, ...row.map(cell)))));
}

function rowsTable(title, head, rows, chosen = -1) {
  const shown = (value) => (typeof value === "number" && !Number.isInteger(value) ? short(value) : String(value));
  return element("table", { className: "numbers" }, element("caption", { textContent: title }),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col", textContent: name })))),
    element("tbody", {}, ...rows.map((row, index) => element("tr", { style: { fontWeight: index === chosen ? "700" : "400" } },
      ...row.map((value) => element("td", { textContent: shown(value) }))))));
}
