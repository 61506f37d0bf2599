// The text with a colour for every token.
import { pieces } from "../language/tokens.js";
import { byId, element } from "../ui/elements.js";

const FULL = 6; // nats with the full colour
const STRONGEST = 45; // percent of colour: the text stays readable

export class TextView {
  /** `onChoose(position)` is called for a token that is clicked. */
  constructor(onChoose) {
    this.place = byId("text");
    this.spans = [];
    this.place.addEventListener("click", (event) => {
      const span = event.target.closest("span");
      if (span) onChoose(this.spans.indexOf(span));
    });
    this.place.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      onChoose(this.chosen + by);
    });
  }

  show(ids, model, { prompted, chosen }) {
    const texts = pieces(ids, model);
    while (this.spans.length > texts.length) this.spans.pop().remove();
    while (this.spans.length < texts.length) {
      const span = element("span");
      this.spans.push(span);
      this.place.append(span);
    }
    this.spans.forEach((span, index) => {
      const text = texts[index] === "\n" ? "↵\n" : texts[index];
      if (span.textContent !== text) span.textContent = text;
      span.className = `${index >= prompted ? "continued" : ""} ${index === chosen ? "chosen" : ""}`.trim();
    });
    this.chosen = chosen;
    if (chosen >= texts.length) this.place.scrollTop = this.place.scrollHeight;
  }

  colourSurprise(nats) {
    this.colour(nats, (value) => ["var(--orange)", Math.min(value / FULL, 1)]);
  }

  colourSigned(values) {
    const largest = values.reduce((one, value) => Math.max(one, Math.abs(value)), 1e-9);
    this.colour(values, (value) => [value < 0 ? "var(--blue)" : "var(--orange)", Math.abs(value) / largest]);
  }

  colour(values, choose) {
    this.spans.forEach((span, index) => {
      const [colour, share] = choose(values[index]);
      span.style.backgroundColor = `color-mix(in srgb, ${colour} ${(STRONGEST * share).toFixed(1)}%, var(--paper))`;
    });
  }
}
