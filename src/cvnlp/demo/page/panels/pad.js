// A canvas to draw on with a mouse, a finger or a pen.
import { byId } from "../ui/elements.js";
import { centreDigit, readCanvas, shrink } from "../ui/pixels.js";

const WIDTH = 280;

export class Pad {
  /** `onDraw` is called at most once per frame while something is drawn. */
  constructor(canvas, onDraw) {
    this.canvas = canvas;
    this.onDraw = onDraw;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.continue(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.last = null));
  }

  /** For images (C, H, W) on a background of 0 or 1. */
  start(shape, background) {
    [this.shape, this.background] = [shape, background];
    this.canvas.width = WIDTH;
    this.canvas.height = Math.round((WIDTH * shape[1]) / shape[2]);
    this.canvas.style.height = `${this.canvas.height}px`;
    this.clear();
  }

  clear() {
    this.blank = true; // since then only strokes
    this.context.fillStyle = this.background ? "white" : "black";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Shows an image, on which may be drawn. */
  show(data) {
    const [channels, height, width] = this.shape, cells = height * width;
    const small = Object.assign(document.createElement("canvas"), { width, height });
    const picture = new ImageData(width, height);
    for (let place = 0; place < cells; place++)
      for (let channel = 0; channel < 4; channel++)
        picture.data[4 * place + channel] = channel === 3 ? 255 : Math.round(255 * data[(channels === 1 ? 0 : channel) * cells + place]);
    small.getContext("2d").putImageData(picture, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    this.blank = false;
  }

  begin(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.stroke(this.last);
  }

  continue(event) {
    if (!this.last) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) this.stroke(this.place(one));
    this.stroke(this.place(event));
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect(), scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  stroke(place) {
    const { context } = this;
    Object.assign(context, { lineWidth: Number(byId("pen").value), lineCap: "round", lineJoin: "round" });
    context.strokeStyle = this.shape[0] > 1 ? byId("colour").value : this.background ? "black" : "white";
    context.beginPath();
    context.moveTo(...this.last);
    context.lineTo(...place);
    context.stroke();
    this.last = place;
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.onDraw();
    });
  }

  /** The image (C, H, W) of the network's size; `centred`: strokes on an empty pad are placed as digits of MNIST. */
  read(centred) {
    const [channels, height, width] = this.shape, own = [this.canvas.height, this.canvas.width];
    const data = readCanvas(this.canvas, channels);
    if (!centred || !this.blank || channels > 1 || this.background) return shrink(data, [channels, ...own], [height, width]);
    return centreDigit(data, own, [height, width]);
  }
}
