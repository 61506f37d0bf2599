// Files of the folder: JSON, and arrays in one binary file, compressed by gzip.
import { tensor } from "./network/tensors.js";

const TYPES = {
  float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int64: BigInt64Array,
};
const GZIP = [0x1f, 0x8b]; // a server may have decompressed the file already

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

export const readJson = async (path) => (await fetched(path)).json();

async function readBytes(path) {
  const bytes = await (await fetched(path)).arrayBuffer();
  const [first, second] = new Uint8Array(bytes, 0, 2);
  if (first !== GZIP[0] || second !== GZIP[1]) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** `description` and `arrays` (name -> tensor) of NAME.json and NAME.bin. */
export async function readData(name) {
  const description = await readJson(`${name}.json`);
  const table = Object.entries(description.arrays);
  const bytes = table.length ? await readBytes(`${name}.bin`) : null;
  const arrays = table.map(([key, { type, shape, start }]) => {
    const length = shape.reduce((product, side) => product * side, 1);
    return [key, tensor(shape, new TYPES[type](bytes, start, length))];
  });
  return { description, arrays: Object.fromEntries(arrays) };
}
