// The smallest offset that changes the class, computed step by step in the page.
import { smallestAttack } from "../network/attack.js";
import { argmax, softmax } from "../network/tensors.js";
import { bars, byId, element, percent, setOptions, short, whole } from "../ui/elements.js";
import { paint, paintImage, signedColour } from "../ui/heat.js";

const HALVINGS = 7;

class Stopped extends Error {}

export class AttackPanel {
  constructor() {
    byId("attack").addEventListener("click", () => this.attack());
    byId("stop-attack").addEventListener("click", () => (this.wanted = false));
    byId("strength").addEventListener("input", () => this.showStrength());
  }

  update(picture) {
    const changed = this.image !== picture.image || this.network !== picture.network;
    [this.picture, this.image, this.network] = [picture, picture.image, picture.network];
    setOptions(byId("target"), [[-1, "any other class"], ...picture.network.classes.map((name, index) => [index, name])]);
    if (!changed) return;
    this.wanted = false; // an attack on the picture before
    byId("attack-result").hidden = true;
    byId("attack-answer").textContent = "";
  }

  async attack() {
    const target = Number(byId("target").value), { image, network } = this, { classes } = network;
    const label = argmax(network.logits(image));
    if (target === label) return this.answer(`The picture is already classified as ${classes[label]}; choose another class.`);
    this.running(true);
    this.answer("Searching …");
    try {
      const found = await smallestAttack(network, image, target, { steps: whole(byId("attack-steps")), halvings: HALVINGS, pause: this.pause() });
      if (found) this.show(found);
      else this.answer("No offset found: the network has no useful gradient here, or the steps are too few.");
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      this.answer("Stopped.");
    } finally {
      this.running(false);
    }
  }

  answer(text) {
    byId("attack-answer").textContent = text;
  }

  running(is) {
    this.wanted = is;
    byId("attack").disabled = is;
    byId("stop-attack").disabled = !is;
    byId("attack-progress").hidden = !is;
  }

  /** Lets the browser draw and react now and then; throws if the attack is no longer wanted. */
  pause() {
    const total = 2 * (HALVINGS + 1) * whole(byId("attack-steps")); // two starts for each eps
    let steps = 0, latest = performance.now();
    return async () => {
      steps++;
      if (performance.now() - latest < 30) return;
      byId("attack-progress").value = Math.min(steps / total, 1);
      await new Promise((resume) => setTimeout(resume));
      latest = performance.now();
      if (!this.wanted) throw new Stopped();
    };
  }

  show({ eps, image, logits, label }) {
    const { classes } = this.network, now = argmax(logits);
    this.offset = image.map((value, place) => value - this.image[place]);
    this.answer(`${classes[label]} becomes ${classes[now]} with eps ${eps.toFixed(4)}: no pixel changes by more than ${percent(eps)} of the range.`);
    byId("attack-answer").dataset.eps = String(eps);
    byId("attack-result").hidden = false;
    const figure = (caption, draw) => {
      const canvas = element("canvas", { role: "img", "aria-label": caption, style: { width: "140px" } });
      draw(canvas);
      return element("figure", {}, canvas, element("figcaption", { textContent: caption }));
    };
    const [, height, width] = this.network.shape, { shape } = this.network;
    byId("attack-figures").replaceChildren(
      figure(`Before: ${classes[label]}`, (canvas) => paintImage(canvas, shape, this.image)),
      figure(`Offset: orange brighter, blue darker, full colour ${short(eps)}`, (canvas) =>
        paint(canvas, width, height, (place) => signedColour(this.offset[place] / eps))),
      figure("At the chosen strength", (canvas) => (this.canvas = canvas)));
    byId("strength").value = 1;
    this.showStrength();
  }

  showStrength() {
    const strength = Number(byId("strength").value);
    byId("strength-value").textContent = strength.toFixed(2);
    const attacked = strength === 1
      ? this.image.map((value, place) => value + this.offset[place])
      : this.image.map((value, place) => Math.min(Math.max(value + strength * this.offset[place], 0), 1));
    paintImage(this.canvas, this.network.shape, attacked);
    const probabilities = softmax(this.network.logits(attacked));
    byId("attack-probabilities").replaceChildren(bars(this.network.classes, probabilities, "Probabilities at this strength"));
  }
}
