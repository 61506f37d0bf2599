// One unit of a recurrent layer: its state and gates at every token.
import { byId, element, setLimits, setOptions, short, whole } from "../ui/elements.js";

// signal -> [name, colour, dashes]: Okabe and Ito's colours, which differ for colour-blind readers, too
const SIGNALS = {
  hidden: ["hidden state", "--orange", []],
  cell: ["cell", "--blue", []],
  forget: ["forget gate", "--green", [6, 3]],
  input: ["input gate", "--yellow", [2, 3]],
  output: ["output gate", "--pink", [10, 4]],
  update: ["update gate", "--green", [6, 3]],
  reset: ["reset gate", "--yellow", [2, 3]],
  candidate: ["candidate", "--sky", [1, 4]],
};
const SHOWN = 150; // tokens of the chart

export class UnitView {
  /** `onChange` is called when another unit or signal is chosen. */
  constructor(onChange) {
    this.onChange = onChange;
    for (const id of ["unit-layer", "unit-signal", "unit-number"])
      byId(id).addEventListener("input", () => this.choose());
    byId("unit-strong").addEventListener("click", () => {
      byId("unit-number").value = this.strongest();
      this.choose();
    });
  }

  setModel(model) {
    byId("unit").hidden = model.model === "ngram";
    if (model.model === "ngram") return;
    setOptions(byId("unit-layer"), model.layers.map((_, number) => [number, number + 1]));
    byId("unit-layer-field").hidden = model.layers.length === 1;
    const { state } = model.step(model.initial(), model.start);
    this.signals = Object.keys(SIGNALS).filter((name) => name in state[0]);
    setOptions(byId("unit-signal"), this.signals.map((name) => [name, SIGNALS[name][0]]));
  }

  choose() {
    byId("text-colour").value = "unit";
    this.onChange();
    this.show(this.reading, this.position);
  }

  layer(step) {
    return step.state[Number(byId("unit-layer").value)];
  }

  series(name, unit, reading = this.reading) {
    return reading.steps.slice(1).map((step) => this.layer(step)[name][unit]);
  }

  /** The chosen signal of the chosen unit after every token. */
  values(reading) {
    this.reading = reading;
    setLimits(byId("unit-number"), 0, this.layer(reading.steps[0]).hidden.length - 1);
    return this.series(byId("unit-signal").value, whole(byId("unit-number")), reading);
  }

  /** The unit with the largest standard deviation of the signal over the text. */
  strongest() {
    const name = byId("unit-signal").value, size = this.layer(this.reading.steps[0]).hidden.length;
    let best = 0, most = -1;
    for (let unit = 0; unit < size; unit++) {
      const values = this.series(name, unit), mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      if (spread > most) [best, most] = [unit, spread];
    }
    return best;
  }

  show(reading, position) {
    if (byId("unit").hidden) return;
    [this.reading, this.position] = [reading, position];
    this.values(reading);
    const unit = whole(byId("unit-number")), last = Math.min(position + 1, reading.steps.length - 1);
    const now = this.layer(reading.steps[last]);
    byId("unit-text").textContent = `Unit ${unit} after token ${last}: ` +
      this.signals.map((name) => `${SIGNALS[name][0]} ${short(now[name][unit])}`).join(", ") + ".";
    this.drawChart(unit, last);
  }

  drawChart(unit, last) {
    const canvas = byId("unit-chart"), context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const { width, height } = canvas, count = this.reading.steps.length - 1, first = Math.max(0, Math.min(last, count) - SHOWN);
    const shown = Math.min(SHOWN, count - first), x = (place) => 8 + ((width - 16) * place) / Math.max(shown - 1, 1);
    const y = (value) => height / 2 - value * (height / 2 - 10);
    context.clearRect(0, 0, width, height);
    Object.assign(context, { strokeStyle: "#888", lineWidth: 1 });
    context.setLineDash([]);
    for (const value of [-1, 0, 1]) context.strokeRect(8, y(value), width - 16, 0);
    context.strokeRect(x(last - 1 - first), 4, 0, height - 8);
    const legend = this.signals.map((name) => {
      const [title, colour, dashes] = SIGNALS[name], all = this.series(name, unit);
      const largest = Math.max(1, all.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
      Object.assign(context, { strokeStyle: style.getPropertyValue(colour), lineWidth: 2 });
      context.setLineDash(dashes);
      context.beginPath();
      all.slice(first, first + shown).forEach((value, place) => context.lineTo(x(place), y(value / largest)));
      context.stroke();
      const line = element("i", { style: { borderTopColor: `var(${colour})`, borderTopStyle: dashes.length ? "dashed" : "solid" } });
      return element("span", {}, line, largest > 1 ? `${title}, divided by ${largest.toFixed(1)}` : title);
    });
    byId("unit-legend").replaceChildren(...legend, element("span", { textContent: `tokens ${first + 1} to ${first + shown}; lines at −1, 0 and 1` }));
  }
}
