// Projected gradient descent (Madry et al. 2018) within an eps of every pixel, and the smallest eps by bisection.
import { argmax, softmax } from "./tensors.js";

const SPAN = 2.5; // steps cover this many eps
const FIRST = [1, 0.5, 0.25, 0.1]; // sizes that are tried until one succeeds: the steps of large ones are coarse

/** Gradient of the log-odds of all other classes against `label`, with respect to the logits. */
export function logOddsGradient(logits, label) {
  const others = Float64Array.from(logits, (logit, index) => (index === label ? -Infinity : logit));
  return Float32Array.from(softmax(others), (share, index) => (index === label ? -1 : share));
}

/** A generator of numbers from 0 to 1 with a seed (mulberry32): equal attacks have equal results. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Into the ball of size eps around the image, and into [0, 1]. */
export const project = (image, point, eps) =>
  point.map((value, place) => Math.min(Math.max(value, image[place] - eps, 0), image[place] + eps, 1));

export const distance = (image, point) =>
  image.reduce((largest, value, place) => Math.max(largest, Math.abs(value - point[place])), 0);

/** Whether the attack has succeeded: away from `label`, or to `target` if it is a class. */
const succeeded = (logits, { label, target }) => (target < 0 ? argmax(logits) !== label : argmax(logits) === target);

/** A point of the ball, from a random one or, without `random`, from the image; `pause` is awaited after every step and may stop the attack by throwing. */
export async function pgd(network, image, goal, eps, { steps = 40, random, pause }) {
  let point = random ? project(image, image.map((value) => value + eps * (2 * random() - 1)), eps) : image;
  const towards = goal.target >= 0, sign = towards ? -1 : 1, step = (SPAN / steps) * eps * sign;
  for (let number = 0; number < steps; number++) {
    const outputs = network.outputs(point), logits = outputs.at(-1).data;
    if (succeeded(logits, goal)) break;
    const gradient = network.gradient(outputs, logOddsGradient(logits, towards ? goal.target : goal.label));
    point = project(image, point.map((value, place) => value + step * Math.sign(gradient[place])), eps);
    await pause();
  }
  return point;
}

/**
 * The smallest eps found, the attacked image and its logits; null if no size in FIRST has succeeded.
 * `target`: a class, or -1 for any other than the predicted one.
 */
export async function smallestAttack(network, image, target, { steps = 40, halvings = 7, pause = async () => {} } = {}) {
  const label = argmax(network.logits(image)), goal = { label, target };
  const attempt = async (eps) => {
    for (const random of [randomNumbers(1), null]) {
      const point = await pgd(network, image, goal, eps, { steps, pause, random }), logits = network.logits(point);
      if (succeeded(logits, goal)) return { eps: distance(image, point), image: point, logits, label };
    }
    return null;
  };
  let best = null;
  for (const eps of FIRST) best ??= await attempt(eps);
  if (!best) return null;
  let low = 0;
  for (let number = 0; number < halvings && best.eps > low; number++) {
    const middle = (low + best.eps) / 2, found = await attempt(middle);
    if (found && found.eps <= best.eps) best = found;
    else low = middle;
  }
  return best;
}
