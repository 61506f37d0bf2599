// Language models side by side: one writes, the others read along.
import { readData } from "../files.js";
import { draw, makeModel, Reading } from "../language/reading.js";
import { encode, label } from "../language/tokens.js";
import { randomNumbers } from "../network/attack.js";
import { byId, element, setOptions } from "../ui/elements.js";
import { showExpectations } from "./expectations.js";
import { TextView } from "./text-view.js";
import { UnitView } from "./unit-view.js";

const PROMPTS = { characters: "ROMEO:\nBut soft, what light ", words: "romeo:\nbut soft , what light", whitespace: "the king" };
const MAX_TOKENS = 1000; // of the whole text
const PAUSE = 60; // milliseconds between two tokens
const SLICE = 25; // milliseconds of reading after which the browser may react

const rest = (milliseconds = 0) => new Promise((resume) => setTimeout(resume, milliseconds));

export class LanguagePanel {
  constructor(contents) {
    this.runs = contents.runs.filter(({ domain }) => domain === "language");
    this.withExamples = new Set(contents.examples);
    this.models = new Map();
    this.pool = new Map(); // run -> its reading
    [this.version, this.latest] = [0, Promise.resolve()];
    this.text = new TextView((position) => this.moveTo(position));
    this.unit = new UnitView(() => this.colour());
    const writers = [...this.runs].sort((one, other) => (other.network === "lstm") - (one.network === "lstm"));
    setOptions(byId("text-run"), writers.map(({ run, network }) => [run, `${run} (${network})`]));
    byId("text-run").addEventListener("change", () => this.choose(byId("text-run").value));
    byId("prompt").addEventListener("input", () => this.restart());
    byId("text-next").addEventListener("click", () => this.act(() => this.writeToken()));
    byId("text-play").addEventListener("click", () => this.play(!this.playing));
    byId("text-clear").addEventListener("click", () => this.restart());
    byId("text-excerpt").addEventListener("click", () => this.showExcerpt());
    byId("seed").addEventListener("change", () => this.restart());
    byId("position").addEventListener("input", () => this.moveTo(Number(byId("position").value)));
    byId("text-colour").addEventListener("change", () => this.colour());
  }

  /** Called when the panel is shown: nothing is loaded before. */
  async enter() {
    if (!this.writer && this.runs.length) await this.choose(byId("text-run").value);
  }

  leave() {
    this.play(false);
  }

  load(run) {
    if (!this.models.has(run)) this.models.set(run, readData(`models/${run}`).then(makeModel));
    return this.models.get(run);
  }

  /** Another model that writes; those of the same data read along. */
  choose(run) {
    this.play(false);
    return this.act(async () => {
      if (byId("text-run").value !== run) return; // another one was chosen meanwhile
      this.status(`Loading ${run} …`);
      const writer = await this.load(run), { dataset } = this.runs.find((one) => one.run === run);
      if (this.dataset !== dataset) byId("prompt").value = PROMPTS[writer.tokens];
      byId("text-excerpt").disabled = !this.withExamples.has(dataset);
      [this.writer, this.run, this.dataset] = [writer, run, dataset];
      this.listReaders();
      this.unit.setModel(writer);
      await this.begin();
    });
  }

  listReaders() {
    const others = this.runs.filter(({ run, dataset }) => dataset === this.dataset && run !== this.run);
    const before = new Set(Array.from(byId("readers").querySelectorAll("input:not(:checked)"), (box) => box.value));
    byId("readers").replaceChildren(byId("readers").querySelector("legend"), ...others.map(({ run }) => {
      const box = element("input", { type: "checkbox", value: run, checked: !before.has(run) });
      box.addEventListener("change", () => this.act(() => this.catchUp()));
      return element("label", {}, box, ` ${run}`);
    }));
    byId("readers").hidden = !others.length;
  }

  /** Removes the continuation and reads the prompt. */
  restart() {
    this.play(false);
    this.version++; // ends a reading of the text before
    return this.act(() => this.begin());
  }

  begin() {
    this.random = randomNumbers(Number(byId("seed").value));
    const text = byId("prompt").value, own = this.excerpt?.excerpt === text && this.excerpt.dataset === this.dataset;
    const ids = (own ? this.excerpt.ids : encode(text, this.writer)).slice(0, MAX_TOKENS);
    [this.ids, this.prompted, this.position] = [ids, ids.length, ids.length];
    return this.catchUp();
  }

  /** One action after the other. */
  act(action) {
    this.latest = this.latest.catch(() => {}).then(action);
    return this.latest;
  }

  /** All chosen models read the text as far as it is now; in vain if the text changes meanwhile. */
  async catchUp() {
    const version = ++this.version;
    this.readings = null;
    const names = [this.run, ...Array.from(byId("readers").querySelectorAll("input:checked"), (box) => box.value)];
    const found = new Map();
    for (const run of names) {
      const model = await this.load(run);
      if (model.vocabulary.length !== this.writer.vocabulary.length) continue;
      if (!this.pool.has(run)) this.pool.set(run, new Reading(model));
      found.set(run, this.pool.get(run));
      await this.readSlowly(run, version);
      if (version !== this.version) return;
    }
    this.readings = found;
    this.show();
  }

  async readSlowly(run, version) {
    const reading = this.pool.get(run), { ids } = this;
    let latest = performance.now();
    reading.update(ids.slice(0, reading.commonLength(ids)));
    while (reading.ids.length < ids.length && version === this.version) {
      reading.read(ids[reading.ids.length]);
      if (performance.now() - latest < SLICE) continue;
      this.status(`${run} reads token ${reading.ids.length} of ${ids.length} …`);
      await rest();
      latest = performance.now();
    }
  }

  async writeToken() {
    if (!this.readings) return; // a newer text is about to be read
    if (this.ids.length >= MAX_TOKENS) return this.play(false);
    const id = draw(this.readings.get(this.run).next, Number(byId("temperature").value) || 0, this.random);
    if (this.position === this.ids.length) this.position++;
    this.ids.push(id);
    for (const reading of this.readings.values()) reading.read(id);
    this.show();
  }

  async play(on) {
    if (on === Boolean(this.playing)) return;
    const own = (this.playing = on ? {} : null);
    byId("text-play").setAttribute("aria-pressed", String(on));
    byId("text-play").textContent = on ? "Pause" : "Write";
    while (this.playing && this.playing === own) {
      await this.act(() => this.writeToken());
      await rest(PAUSE);
    }
    if (!on) this.show();
  }

  async showExcerpt() {
    const { description } = await readData(`examples/${this.dataset}`);
    this.excerpt = { ...description, dataset: this.dataset }; // a token that is unknown cannot be read from the text
    byId("prompt").value = description.excerpt;
    await this.restart();
  }

  moveTo(position) {
    this.position = Math.min(Math.max(position, 0), this.ids.length);
    this.show();
  }

  show() {
    if (!this.readings) return;
    const { writer, ids, position } = this;
    [byId("position").max, byId("position").value] = [ids.length, position];
    const follows = position < ids.length ? label(ids[position], writer) : "the end of the text";
    byId("position").setAttribute("aria-valuetext", `${position} of ${ids.length}: ${follows}`);
    this.listColours();
    this.text.show(ids, writer, { prompted: this.prompted, chosen: position });
    this.colour();
    showExpectations(this.readings, ids, position, writer);
    this.unit.show(this.readings.get(this.run), position);
    const unknown = this.ids.slice(0, this.prompted).filter((id) => id === 0).length;
    const note = unknown ? ` ${unknown} tokens of the prompt are not in the vocabulary.` : "";
    const limit = ids.length >= MAX_TOKENS ? ` The page stops at ${MAX_TOKENS} tokens.` : "";
    if (!this.playing) this.status(`${this.prompted} tokens of prompt, ${ids.length - this.prompted} written by ${this.run}.${note}${limit}`);
  }

  listColours() {
    const runs = [...this.readings.keys()], units = this.writer.model === "ngram" ? [] : [["unit", "chosen unit"]];
    setOptions(byId("text-colour"), [...runs.map((run) => [run, `surprise of ${run}`]), ...units]);
  }

  colour() {
    const mode = byId("text-colour").value, reading = this.readings?.get(mode === "unit" ? this.run : mode);
    if (!reading) return;
    if (mode === "unit") this.text.colourSigned(this.unit.values(reading));
    else this.text.colourSurprise(reading.nats);
    byId("colour-about").textContent = mode === "unit"
      ? "Orange: the signal is positive after this token; blue: negative."
      : "The darker a token, the more it surprised the model; full colour from 6 nats on.";
  }

  status(text) {
    byId("text-status").textContent = text;
  }
}
