// Text to token ids and back, as the project's tokenisers do it.

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}\p{Pc}]/u;
const SPACE = /[\s\x1c-\x1f]/u;
const CLOSING = new Set(",.;:!?)]}%’”…।॥"), OPENING = new Set("([{‘“¿¡");
const JOINING = { "@-@": "-", "@,@": ",", "@.@": "." };
const LINE_END = "<eos>", UNKNOWN = 0;

/** Words and single marks by Unicode's word boundaries; a hyphen between two words belongs to them. */
function splitWords(text) {
  const boundaries = Array.from(new Intl.Segmenter("en", { granularity: "word" }).segment(text), (part) => part.index);
  boundaries.push(text.length);
  const isWord = (place) => place >= 0 && place < text.length && WORD_CHARACTER.test(String.fromCodePoint(text.codePointAt(place)));
  const splits = (place) => !(text[place] === "-" && isWord(place + 1))
    && !(text[place - 1] === "-" && isWord(place - 2) && isWord(place));
  const found = [];
  let place = 0, next = 0, inside = false;
  while (place < text.length) {
    while (boundaries[next] <= place) next++;
    if (text[place] === "\n") {
      if (inside) found.push(LINE_END);
      inside = false;
      place++;
    } else if (SPACE.test(text[place])) place++;
    else {
      let end = next;
      if (isWord(place)) while (end < boundaries.length - 1 && !splits(boundaries[end])) end++;
      found.push(text.slice(place, boundaries[end]));
      inside = true;
      place = boundaries[end];
    }
  }
  return inside ? [...found, LINE_END] : found;
}

function splitAtSpaces(text) {
  const found = (text.match(/\S+|\n/g) ?? []).map((token) => (token === "\n" ? LINE_END : token));
  return text && !text.endsWith("\n") ? [...found, LINE_END] : found;
}

/** Ids of a prompt that is to be continued; unknown tokens are 0. */
export function encode(text, { tokens, lowercase, vocabulary }) {
  const ids = (vocabulary.ids ??= new Map(vocabulary.map((token, id) => [token, id])));
  const clean = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  const cased = lowercase ? clean.toLowerCase() : clean;
  const split = { characters: (all) => Array.from(all), words: (all) => splitWords(`${all} x`.normalize("NFC")).slice(0, -2),
    whitespace: (all) => splitAtSpaces(`${all} x`).slice(0, -2) }[tokens];
  return split(cased).map((token) => ids.get(token) ?? UNKNOWN);
}

/** The text of each token, with the space before it if it is a word that needs one. */
export function pieces(ids, { tokens, vocabulary, start }) {
  if (tokens === "characters") return ids.map((id) => (id === UNKNOWN ? "\ufffd" : vocabulary[id]));
  let before = "", joined = true, quoted = false;
  return ids.map((id) => {
    const token = vocabulary[id];
    if (id === start) {
      [before, joined, quoted] = ["", true, false];
      return "\n";
    }
    if (token === '"') quoted = !quoted;
    const closes = CLOSING.has(token) || (token === '"' && !quoted) || attaches(token, before);
    const piece = JOINING[token] ?? (joined || closes ? token : ` ${token}`);
    joined = OPENING.has(token) || token in JOINING || ((token === '"' || token === "'") && !closes);
    before = token;
    return piece;
  });
}

function attaches(token, before) {
  if (token === "'") return before.length === 1 && /[\p{L}.!?]/u.test(before);
  return (token === "-" && before === "-") || token === "n't" || (token.length > 1 && token[0] === "'");
}

/** A token as a label: line ends and spaces have a visible form. */
export function label(id, { vocabulary, start, tokens }) {
  if (id === start) return "↵";
  const token = vocabulary[id];
  return tokens === "characters" && token === " " ? "␣" : token;
}
