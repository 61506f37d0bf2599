// Probabilities and the outputs of every layer; one map in detail.
import { argmax } from "../network/tensors.js";
import { bars, byId, element, percent, setLimits, setOptions, short, whole } from "../ui/elements.js";
import { largestSize, mapShape, paint, paintImage, paintMap, paintMaps, signedColour } from "../ui/heat.js";

const STRONGEST = 6; // test images that are shown
const ROW = 500; // pixels of the page for the maps of a row

const cellSize = ([, , width]) => (width > 1 ? Math.min(Math.max(2 * width, 28), 64) : 12);

export class ClassifierPanel {
  constructor() {
    byId("map-layer").addEventListener("change", () => this.choose(Number(byId("map-layer").value), 0));
    byId("map-number").addEventListener("input", () => this.showMap());
    byId("map-strongest").addEventListener("click", () => this.showStrongest());
  }

  update(picture) {
    this.picture = picture;
    if (this.network !== picture.network) this.build(picture.network);
    const { classes } = picture.network, best = argmax(picture.probabilities);
    byId("prediction").textContent = `${classes[best]}, ${percent(picture.probabilities[best])}`;
    byId("probabilities").replaceChildren(bars(classes, picture.probabilities, "Probabilities of the classes"));
    for (const layer of this.layers) layer.layout = paintMaps(layer.canvas, picture.outputs[layer.number], layer.across);
    this.showMap();
  }

  /** A canvas for the maps of every layer of a network. */
  build(network) {
    [this.network, this.strongestOf] = [network, null];
    const outputs = this.picture.outputs;
    this.layers = network.shown.map((number) => {
      const shape = mapShape(outputs[number].shape), cell = cellSize(shape);
      const across = Math.max(1, Math.floor(ROW / cell)), name = network.nodes[number].name;
      const canvas = element("canvas", { role: "img", "aria-label": `Outputs of ${name}`, dataset: { node: String(number) } });
      canvas.style.width = `${Math.min(across, shape[0]) * cell}px`;
      const size = shape[1] * shape[2] > 1 ? `${shape[0]} maps of ${shape[1]} × ${shape[2]}` : `${shape[0]} units`;
      return { number, across, canvas, title: `${name}: ${size}`, count: shape[0] };
    });
    byId("layers").replaceChildren(...this.layers.map((layer) => {
      layer.canvas.addEventListener("click", (event) => this.choose(layer.number, this.mapAt(layer, event)));
      return element("div", { className: "layer" }, element("div", { textContent: layer.title }), layer.canvas);
    }));
    setOptions(byId("map-layer"), this.layers.map(({ number, title }) => [number, title]));
  }

  mapAt({ canvas, layout, across, count }, event) {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale) / layout.wide);
    const row = Math.floor(((event.clientY - box.top) * scale) / layout.tall);
    return Math.min(row * across + Math.min(column, across - 1), count - 1);
  }

  choose(layer, number) {
    byId("map-layer").value = String(layer);
    byId("map-number").value = number;
    this.showMap();
  }

  showMap() {
    const number = Number(byId("map-layer").value), output = this.picture.outputs[number];
    const [count, height, width] = mapShape(output.shape), cells = height * width;
    setLimits(byId("map-number"), 0, count - 1);
    const map = whole(byId("map-number")), data = output.data.subarray(map * cells, (map + 1) * cells);
    const largest = argmax(data), place = cells > 1 ? ` at row ${Math.floor(largest / width)}, column ${largest % width}` : "";
    byId("map-text").textContent = `${this.network.nodes[number].name}, ${cells > 1 ? "map" : "unit"} ${map}: largest output ${short(data[largest])}${place}.`;
    if (this.strongestOf !== `${number}.${map}`) byId("map-examples").replaceChildren();
    byId("map-detail").replaceChildren(...[
      cells > 1 && this.figure("The map", 140, (canvas) => paintMap(canvas, [height, width], data, largestSize(data))),
      cells > 1 && this.figure("Where it fires in the picture", 140, (canvas) => this.overlay(canvas, [height, width], data, this.picture.image)),
      ...this.weights(number, map),
    ].filter(Boolean));
  }

  figure(caption, width, draw) {
    const canvas = element("canvas", { role: "img", "aria-label": caption });
    draw(canvas);
    canvas.style.width = `${width}px`;
    return element("figure", {}, canvas, element("figcaption", { textContent: caption }));
  }

  /** The test images in which the chosen map or unit has the largest outputs, and where. */
  showStrongest() {
    const number = Number(byId("map-layer").value), map = whole(byId("map-number")), { picture, network } = this;
    const found = picture.samples.map((_, example) => {
      const image = picture.example(example), output = network.outputs(image)[number];
      const [, height, width] = mapShape(output.shape), cells = height * width;
      const data = output.data.slice(map * cells, (map + 1) * cells);
      return { example, image, size: [height, width], data, largest: data[argmax(data)] };
    });
    const strongest = found.sort((one, other) => other.largest - one.largest).slice(0, STRONGEST);
    this.strongestOf = `${number}.${map}`;
    byId("map-examples").replaceChildren(...strongest.map(({ example, image, size, data, largest }) =>
      this.figure(`Test image ${example + 1}: ${short(largest)}`, 84, (canvas) =>
        data.length > 1 ? this.overlay(canvas, size, data, image) : paintImage(canvas, network.shape, image))));
  }

  /** The picture, in orange where the map is positive. */
  overlay(canvas, [height, width], data, image) {
    const [channels, rows, columns] = this.network.shape, largest = largestSize(data) || 1;
    paint(canvas, columns, rows, (place) => {
      const y = Math.floor((Math.floor(place / columns) * height) / rows), x = Math.floor(((place % columns) * width) / columns);
      const share = Math.max(data[y * width + x] / largest, 0), orange = [213, 94, 0];
      return orange.map((value, channel) => {
        const grey = 255 * image[(channels === 1 ? 0 : channel) * rows * columns + place];
        return share * value + (1 - share) * (40 + 0.7 * grey);
      });
    });
  }

  /** The weights of a convolution, or of a unit that is connected to the image. */
  weights(number, map) {
    const node = this.network.nodes[number], { weight } = this.network.weights[number];
    if (node.op === "conv2d") {
      const size = weight.data.length / weight.shape[0], data = weight.data.subarray(map * size, (map + 1) * size);
      const one = { shape: weight.shape.slice(1), data };
      return [this.figure("Its filter, one kernel per input map", 140, (canvas) =>
        paintMaps(canvas, one, Math.ceil(Math.sqrt(weight.shape[1]))))];
    }
    const [channels, height, width] = this.network.shape, cells = height * width;
    if (node.op !== "linear" || weight.shape[1] !== channels * cells) return [];
    const data = weight.data.subarray(map * weight.shape[1], (map * weight.shape[1]) + cells);
    const largest = largestSize(data);
    return [this.figure("Its weights for each pixel", 140, (canvas) => paint(canvas, width, height, (place) => signedColour(data[place] / largest)))];
  }
}

