// The picture that all image panels share: drawn, opened, or a test image; shifted and rotated; and its network.
import { readData } from "../files.js";
import { Network } from "../network/network.js";
import { argmax, softmax } from "../network/tensors.js";
import { byId, element, percent, setOptions } from "../ui/elements.js";
import { paintImage } from "../ui/heat.js";
import { decodePicture, readCanvas, transform } from "../ui/pixels.js";
import { Pad } from "./pad.js";

const SLIDERS = { right: "", down: "", turn: "°" };

export class Picture {
  /** `onChange(picture)` is called when the network or its input has changed. */
  constructor(contents, onChange) {
    this.runs = contents.runs.filter(({ domain }) => domain === "vision");
    this.withExamples = new Set(contents.examples);
    this.onChange = onChange;
    this.networks = new Map();
    this.pad = new Pad(byId("pad"), () => this.readPad());
    setOptions(byId("image-run"), this.runs.map(({ run, network }) => [run, `${run} (${network})`]));
    byId("image-run").value = (this.runs.find(({ network }) => network === "cnn") ?? this.runs[0]).run;
    this.listen();
  }

  listen() {
    byId("image-run").addEventListener("change", () => this.choose(byId("image-run").value));
    for (const name of Object.keys(SLIDERS)) byId(name).addEventListener("input", () => this.update());
    byId("upright").addEventListener("click", () => this.move({ right: 0, down: 0, turn: 0 }));
    byId("turn-until").addEventListener("click", () => this.turnUntilWrong());
    byId("clear").addEventListener("click", () => this.clear());
    byId("centre").addEventListener("change", () => this.readPad());
    byId("file").addEventListener("change", (event) => this.open(event.target.files[0]));
    byId("invert").addEventListener("change", () => this.file && this.open(this.file));
    const drop = byId("drop");
    drop.addEventListener("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.open(event.dataTransfer.files[0]);
    });
  }

  /** Loads the network of a run when it is first chosen. */
  async choose(run) {
    const loaded = this.networks.get(run) ?? readData(`models/${run}`).then((data) => new Network(data.description, data.arrays));
    this.networks.set(run, loaded);
    const { dataset } = this.runs.find((one) => one.run === run);
    const before = this.network?.shape.join(), network = await loaded;
    if (byId("image-run").value !== run) return; // another one was chosen meanwhile
    this.network = network;
    const [channels, height, width] = this.network.shape;
    this.background = this.network.decoding?.background === "white" ? 1 : 0;
    byId("seen").style.height = `${(112 * height) / width}px`;
    if (this.dataset !== dataset) await this.showSamples(dataset);
    if (before !== this.network.shape.join()) {
      this.pad.start(this.network.shape, this.background);
      byId("colour-field").hidden = channels === 1;
      byId("centre").checked = ["0", "9"].every((digit) => this.network.classes.includes(digit)) && channels === 1;
      for (const [name, side] of [["right", width], ["down", height]]) [byId(name).min, byId(name).max] = [-side / 2, side / 2];
      if (this.examples) this.takeExample(0);
      else this.take(new Float32Array(height * width * channels).fill(this.background));
    } else this.update();
    byId("picture").dataset.run = run;
  }

  /** The test images of a data set as buttons. */
  async showSamples(dataset) {
    this.dataset = dataset;
    this.examples = this.withExamples.has(dataset) ? await readData(`examples/${dataset}`) : null;
    this.samples = (this.examples?.description.labels ?? []).map((label, number) => {
      const canvas = element("canvas"), name = this.network.classes[label];
      paintImage(canvas, this.network.shape, this.example(number));
      const button = element("button", { title: name, "aria-label": `Test image ${number + 1}: ${name}`, "aria-pressed": "false" }, canvas);
      button.addEventListener("click", () => this.takeExample(number));
      return button;
    });
    byId("samples").replaceChildren(...this.samples);
  }

  /** Test image `number` as (C, H, W). */
  example(number) {
    const { shape, data } = this.examples.arrays.images, [, height, width, channels] = shape, cells = height * width;
    const own = data.subarray(number * cells * channels, (number + 1) * cells * channels);
    return Float32Array.from({ length: own.length }, (_, place) => own[(place % cells) * channels + Math.floor(place / cells)] / 255);
  }

  takeExample(number) {
    this.take(this.example(number), this.examples.description.labels[number]);
    this.samples[number].setAttribute("aria-pressed", "true");
  }

  /** A picture (C, H, W) as the new one; `label`: its class, if it is known. */
  take(data, label = -1) {
    this.pad.show(data);
    this.file = null;
    this.setBase(data, label);
  }

  setBase(data, label = -1) {
    [this.base, this.label] = [data, label];
    for (const button of this.samples ?? []) button.setAttribute("aria-pressed", "false");
    this.update();
  }

  clear() {
    this.pad.clear();
    this.move({ right: 0, down: 0, turn: 0 });
    this.readPad();
  }

  readPad() {
    this.setBase(this.pad.read(byId("centre").checked));
  }

  async open(file) {
    if (!file) return;
    try {
      const decoding = this.network.decoding ?? { fit: "pad", background: "black" };
      const invert = byId("invert").checked;
      const background = invert ? { black: "white", white: "black" }[decoding.background] : decoding.background;
      const data = readCanvas(await decodePicture(file, this.network.shape, { ...decoding, background }), this.network.shape[0]);
      this.take(invert ? data.map((value) => 1 - value) : data);
      this.file = file;
    } catch {
      byId("moved").textContent = `${file.name} is no picture that this browser can open.`;
    }
  }

  moves() {
    return Object.fromEntries(Object.keys(SLIDERS).map((name) => [name, Number(byId(name).value)]));
  }

  move(moves) {
    for (const [name, value] of Object.entries(moves)) byId(name).value = value;
    this.update();
  }

  moved(moves) {
    return transform(this.base, this.network.shape, moves, this.background);
  }

  classify(image) {
    return argmax(this.network.logits(image));
  }

  /** The class that counts as right: that of the test image, or the one predicted without shift and rotation. */
  get reference() {
    return this.label >= 0 ? this.label : this.classify(this.base);
  }

  turnUntilWrong() {
    const { right, down } = this.moves();
    for (let degrees = 0; degrees <= 180; degrees++)
      for (const turn of [degrees, -degrees])
        if (this.classify(this.moved({ right, down, turn })) !== this.reference) return this.move({ turn });
    byId("moved").textContent = "No rotation changes the prediction.";
  }

  update() {
    if (!this.network || !this.base) return;
    for (const [name, unit] of Object.entries(SLIDERS)) byId(`${name}-value`).textContent = byId(name).value + unit;
    this.image = this.moved(this.moves());
    this.outputs = this.network.outputs(this.image);
    this.probabilities = softmax(this.outputs.at(-1).data);
    paintImage(byId("seen"), this.network.shape, this.image);
    this.describeMove();
    this.onChange(this);
  }

  describeMove() {
    const { classes } = this.network, now = argmax(this.probabilities), text = byId("moved");
    text.textContent = "";
    if (this.label < 0 && this.image === this.base) return;
    const wanted = classes[this.reference], found = `${classes[now]} (${percent(this.probabilities[now])})`;
    text.textContent = now === this.reference ? `Predicted as ${found}: right.` : `Predicted as ${found} instead of ${wanted}: wrong.`;
  }
}
