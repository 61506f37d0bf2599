// Arrays as colours: pictures in grey or RGB, and signed numbers from blue through the background to orange.

const BLUE = [0, 114, 178], ORANGE = [213, 94, 0];
const dark = matchMedia("(prefers-color-scheme: dark)");

export const onThemeChange = (redraw) => dark.addEventListener("change", redraw);

const zero = () => (dark.matches ? 22 : 255);

/** [r, g, b] of a number from -1 to 1. */
export function signedColour(share) {
  const size = Math.min(Math.abs(share), 1) ** 0.7, target = share < 0 ? BLUE : ORANGE;
  return target.map((channel) => Math.round(zero() + size * (channel - zero())));
}

/** Draws pixels, with `colour(place)` -> [r, g, b], into a canvas of this size. */
export function paint(canvas, width, height, colour) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    const [r, g, b] = colour(place);
    picture.data.set([r, g, b, 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** An image (C, H, W) from 0 to 1. */
export function paintImage(canvas, [channels, height, width], data) {
  const cells = height * width;
  paint(canvas, width, height, (place) =>
    [0, 1, 2].map((channel) => 255 * data[(channels === 1 ? 0 : channel) * cells + place]));
}

/** One map (H, W) of signed numbers; `largest` is the number with the full colour. */
export function paintMap(canvas, [height, width], data, largest) {
  paint(canvas, width, height, (place) => signedColour(data[place] / (largest || 1)));
}

export const largestSize = (data) => data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/** A tensor as maps: [number of maps, rows, columns]; units are drawn as rows of up to 32. */
export function mapShape(shape) {
  if (shape.length === 3 && shape[1] * shape[2] > 1) return shape;
  return [shape[0], 1, 1];
}

/** All maps of a tensor in one canvas, `across` in a row, with a gap of one pixel; returns the layout. */
export function paintMaps(canvas, { shape, data }, across) {
  const [count, height, width] = mapShape(shape), gap = height > 1 ? 1 : 0;
  const rows = Math.ceil(count / across), tall = height + gap, wide = width + gap;
  const largest = largestSize(data);
  paint(canvas, Math.min(across, count) * wide - gap, rows * tall - gap, () => [136, 136, 136]);
  const context = canvas.getContext("2d"), cells = height * width;
  for (let number = 0; number < count; number++) {
    const picture = new ImageData(width, height);
    for (let place = 0; place < cells; place++)
      picture.data.set([...signedColour(data[number * cells + place] / (largest || 1)), 255], 4 * place);
    context.putImageData(picture, (number % across) * wide, Math.floor(number / across) * tall);
  }
  return { count, tall, wide };
}
