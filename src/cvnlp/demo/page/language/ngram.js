// The n-gram model with interpolated modified Kneser-Ney smoothing: from counts to exact probabilities.

const LARGE = 255; // counts from here on are in a table of their own

/** The sums of all numbers before each place, from `first` on, and the total at the end. */
function starts(lengths, first) {
  const found = new Uint32Array(lengths.length + 1);
  found[0] = first;
  for (let place = 0; place < lengths.length; place++) found[place + 1] = found[place] + lengths[place];
  return found;
}

export class Ngram {
  constructor(description, arrays) {
    Object.assign(this, description);
    this.tables = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.data]));
    this.extensionStarts = starts(this.tables.extensions, 1); // context 0 is the empty one
    this.followerStarts = starts(this.tables.followers, 0);
    this.large = new Map(Array.from(this.tables.large_places, (place, index) => [place, this.tables.large_counts[index]]));
  }

  initial() {
    return []; // the latest tokens, the last one first
  }

  step(state, token) {
    const after = [token, ...state].slice(0, this.order - 1);
    const contexts = this.contexts(after);
    return { state: after, probabilities: this.distribution(contexts), contexts };
  }

  /** The known contexts of 0, 1, ... tokens, with the sum of the counts of what followed. */
  contexts(tokens) {
    const found = [this.describe(0, 0)];
    for (const [place, token] of tokens.entries()) {
      const context = this.extend(found.at(-1).context, token);
      if (context < 0) break;
      found.push(this.describe(context, place + 1));
      if (!this.across_lines && token === this.line_end) break;
    }
    return found;
  }

  /** The context with one token more, by binary search; -1 if it did not occur. */
  extend(context, token) {
    let low = this.extensionStarts[context], high = this.extensionStarts[context + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tables.oldest[middle] < token) low = middle + 1;
      else high = middle;
    }
    return low < this.extensionStarts[context + 1] && this.tables.oldest[low] === token ? low : -1;
  }

  count(ngram) {
    const count = this.tables.counts[ngram];
    return count < LARGE ? count : this.large.get(ngram);
  }

  describe(context, length) {
    let total = 0;
    for (let ngram = this.followerStarts[context]; ngram < this.followerStarts[context + 1]; ngram++) total += this.count(ngram);
    return { context, length, total };
  }

  /** Probabilities from the shortest context to the longest: each discounts its counts, the rest is the shorter one's. */
  distribution(contexts) {
    let found = new Float64Array(this.vocabulary_size).fill(1 / this.vocabulary_size);
    for (const { context, length, total } of contexts) {
      if (!total) continue;
      const given = [];
      let rest = 0;
      for (let ngram = this.followerStarts[context]; ngram < this.followerStarts[context + 1]; ngram++) {
        const count = this.count(ngram), discount = this.tables.discounts[3 * length + Math.min(count, 3) - 1];
        given.push([this.tables.tokens[ngram], (count - discount) / total]);
        rest += discount;
      }
      found = found.map((value) => (value * rest) / total);
      for (const [token, share] of given) found[token] += share;
    }
    return found;
  }
}
