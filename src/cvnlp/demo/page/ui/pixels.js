// From a drawing or a picture file to the image of a network: (C, H, W), from 0 to 1.

/** Pixels (C, H, W) of a canvas; grey by the weights of ITU-R 601, as Pillow does it. */
export function readCanvas(canvas, channels) {
  const { width, height } = canvas, cells = width * height;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = new Float32Array(channels * cells);
  for (let place = 0; place < cells; place++) {
    const [r, g, b] = data.subarray(4 * place, 4 * place + 3);
    if (channels === 1) found[place] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) / 255;
    else [r, g, b].forEach((value, channel) => (found[channel * cells + place] = value / 255));
  }
  return found;
}

/** Smaller by averages over the pixels that each new one covers; browsers' own resizing would leave out some. */
export function shrink(data, [channels, height, width], [rows, columns]) {
  const found = new Float32Array(channels * rows * columns), tall = height / rows, wide = width / columns;
  for (let channel = 0, out = 0; channel < channels; channel++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, out++) {
        let sum = 0, area = 0;
        for (let y = Math.floor(row * tall); y < Math.min(Math.ceil((row + 1) * tall), height); y++)
          for (let x = Math.floor(column * wide); x < Math.min(Math.ceil((column + 1) * wide), width); x++) {
            const part = (Math.min(y + 1, (row + 1) * tall) - Math.max(y, row * tall))
              * (Math.min(x + 1, (column + 1) * wide) - Math.max(x, column * wide));
            sum += part * data[(channel * height + y) * width + x];
            area += part;
          }
        found[out] = sum / area;
      }
  return found;
}

/** Bilinear value of a map at (y, x); `outside` beyond its border. */
function sample(data, start, height, width, y, x, outside) {
  const top = Math.floor(y), left = Math.floor(x), dy = y - top, dx = x - left;
  const at = (row, column) =>
    row < 0 || column < 0 || row >= height || column >= width ? outside : data[start + row * width + column];
  return (1 - dy) * ((1 - dx) * at(top, left) + dx * at(top, left + 1))
    + dy * ((1 - dx) * at(top + 1, left) + dx * at(top + 1, left + 1));
}

/** Shifted by pixels to the right and down, and rotated clockwise by degrees about the centre. */
export function transform(data, [channels, height, width], { right, down, turn }, outside) {
  if (!right && !down && !turn) return data;
  const found = new Float32Array(data.length), angle = (turn * Math.PI) / 180;
  const cos = Math.cos(angle), sin = Math.sin(angle), middleY = (height - 1) / 2, middleX = (width - 1) / 2;
  for (let channel = 0, out = 0; channel < channels; channel++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++, out++) {
        const y = row - middleY - down, x = column - middleX - right;
        found[out] = sample(data, channel * height * width, height, width,
          middleY + cos * y - sin * x, middleX + cos * x + sin * y, outside);
      }
  return found;
}

/** As MNIST's digits: the drawing's bounding box is scaled into 20 of 28 pixels, its centre of mass is centred. */
export function centreDigit(data, [height, width], [rows, columns]) {
  const box = { top: height, bottom: -1, left: width, right: -1 };
  data.forEach((value, place) => {
    if (value <= 0.02) return;
    const y = Math.floor(place / width), x = place % width;
    Object.assign(box, { top: Math.min(box.top, y), bottom: Math.max(box.bottom, y),
      left: Math.min(box.left, x), right: Math.max(box.right, x) });
  });
  if (box.bottom < 0) return new Float32Array(rows * columns);
  const tall = box.bottom - box.top + 1, wide = box.right - box.left + 1;
  const factor = Math.min((rows * 20) / 28 / tall, (columns * 20) / 28 / wide);
  const small = [Math.max(1, Math.round(tall * factor)), Math.max(1, Math.round(wide * factor))];
  const cut = new Float32Array(tall * wide);
  for (let y = 0; y < tall; y++)
    cut.set(data.subarray((box.top + y) * width + box.left, (box.top + y) * width + box.left + wide), y * wide);
  return placeByMass(shrink(cut, [1, tall, wide], small), small, [rows, columns]);
}

function placeByMass(data, [tall, wide], [rows, columns]) {
  let mass = 0, ofY = 0, ofX = 0;
  data.forEach((value, place) => {
    mass += value;
    ofY += value * Math.floor(place / wide);
    ofX += value * (place % wide);
  });
  const within = (shift, small, side) => Math.min(Math.max(shift, 0), side - small);
  const top = within(Math.round(rows / 2 - 0.5 - ofY / mass), tall, rows);
  const left = within(Math.round(columns / 2 - 0.5 - ofX / mass), wide, columns);
  const found = new Float32Array(rows * columns);
  for (let y = 0; y < tall; y++) found.set(data.subarray(y * wide, (y + 1) * wide), (top + y) * columns + left);
  return found;
}

/** A picture file on a canvas of the network's size, by the `fit` of its data: crop, pad or stretch. */
export async function decodePicture(file, [, height, width], { fit, background }) {
  const picture = await createImageBitmap(file);
  const scales = [width / picture.width, height / picture.height];
  const factor = { crop: Math.max(...scales), pad: Math.min(...scales) }[fit];
  const [wide, tall] = factor ? [picture.width * factor, picture.height * factor] : [width, height];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - wide) / 2, (height - tall) / 2, wide, tall);
  return canvas;
}
