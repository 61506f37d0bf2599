// Arrays with a shape: (C, H, W) of maps, (N,) of units. Data are Float32Array; sums are computed in double precision.

export const size = (shape) => shape.reduce((product, side) => product * side, 1);

export const tensor = (shape, data = new Float32Array(size(shape))) => ({ shape, data });

export function softmax(logits) {
  const largest = logits.reduce((one, other) => Math.max(one, other), -Infinity);
  const found = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = found.reduce((sum, value) => sum + value, 0);
  return found.map((value) => value / total);
}

/** log of the sum of exponentials. */
export function logSumExp(values) {
  const largest = values.reduce((one, other) => Math.max(one, other), -Infinity);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

export function argmax(values) {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
}
