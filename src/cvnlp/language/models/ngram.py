"""The n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), as exact probabilities.

With c(h w) how often token w follows the context h of k tokens, h' the context without its oldest token, and D(c) a
discount of counts 1, 2, and 3 or more,

    p(w | h) = (c(h w) - D(c(h w))) / c(h) + (sum of D(c(h v)) over all v) / c(h) * p(w | h'),

down to p(w | nothing), which is interpolated with the uniform distribution; without the first summand where h w was
never read, and p(w | h') where h was not. The longest contexts count how often h w stood in the text, shorter ones
after how many different tokens.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cvnlp.language.models.output import cross_entropy
from cvnlp.params.language_networks import NgramOptions
from cvnlp.params.network_config import TextFormat

AT_ONCE = 128  # places of a text at which the probabilities of all tokens are computed together
DENSE = 4  # possible keys for each that there is, up to which a list of them all is made
DISCOUNTS = (0.5, 1.0, 1.5)  # of a length of context whose own cannot be estimated


class Ngram(nn.Module):
    """Probabilities by the counts of `order` tokens in a row, and of all fewer.

    With `across_lines` false no context reaches back beyond a line end, as where every line is a text of its own: with
    this an order of 5 has the perplexity 141.2 on the Penn Treebank's test text, as published (Mikolov and Zweig 2012),
    and without it 141.1.

    All is in sorted tables of keys. A context is a number, its place in `contexts`, 0 the empty one; its key is the
    number of the context without its oldest token * vocabulary + that token, so that longer contexts stand below. The
    key in `ngrams` is a context * vocabulary + the token that follows: those of a context stand together. `counts` has
    the number of each n-gram, `discounts` (order, 3) those of each length of context: these two are what the text
    decides, and what is counted as parameters. Before it was read, all tokens are equally likely.
    """

    contexts: Tensor
    ngrams: Tensor
    line_end: Tensor
    given: Tensor
    rest: Tensor
    min_epochs = 1

    def __init__(self, text: TextFormat, options: NgramOptions) -> None:
        super().__init__()
        self.vocabulary_size, self.order = text.vocabulary_size, options.order
        self.across_lines = options.across_lines
        self.counts = nn.Parameter(torch.empty(0, dtype=torch.int32), requires_grad=False)
        self.discounts = nn.Parameter(torch.tensor([DISCOUNTS] * self.order), requires_grad=False)
        self.register_buffer("contexts", torch.tensor([-1]))  # no context has the key -1
        self.register_buffer("ngrams", torch.empty(0, dtype=torch.int64))
        self.register_buffer("line_end", torch.tensor(-1))
        # from the counts: the first summand of every n-gram, and of every context what multiplies p(w | h')
        self.register_buffer("given", torch.empty(0), persistent=False)
        self.register_buffer("rest", torch.ones(1), persistent=False)
        self.register_load_state_dict_pre_hook(_make_room)
        self.register_load_state_dict_post_hook(_weigh_loaded)

    @torch.no_grad()
    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, T, vocabulary); the state is the last order - 1 tokens (B, order - 1), -1 for none."""
        before = tokens.new_full((len(tokens), self.order - 1), -1) if state is None else state
        text = torch.cat([before, tokens], dim=1)
        found = torch.stack([contexts.flatten() for contexts in self._find(text)])
        unigrams = self._unigrams()
        logits = unigrams.new_empty(tokens.numel(), self.vocabulary_size)
        for contexts, result in zip(found.split(AT_ONCE, dim=1), logits.split(AT_ONCE), strict=True):
            self._write_probabilities(contexts, unigrams, result)
        return logits.log_().view(*tokens.shape, -1), text[:, tokens.shape[1] :]

    def nats(self, tokens: Tensor, targets: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The negative log-likelihood of every target (B, T) in fp32, 0 of those that are IGNORED."""
        logits, state = self(tokens, state)
        return cross_entropy(logits, targets), state

    def _back(self, text: Tensor) -> Iterator[Tensor]:
        """For 1, 2, ... order - 1 the tokens so far back (B, T) of all places after the first order - 1 of `text`.

        -1 where no context may reach.
        """
        length = text.shape[1] - self.order + 1
        readable = torch.ones_like(text[:, :length], dtype=torch.bool)
        for back in range(1, self.order):
            tokens = text[:, self.order - back : self.order - back + length]
            yield torch.where(readable, tokens, -1)
            readable = readable & (tokens >= 0)
            if not self.across_lines:
                readable = readable & (tokens != self.line_end)

    def _find(self, text: Tensor) -> Iterator[Tensor]:
        """The numbers of the contexts (B, T) of 0, 1, ... order - 1 tokens, -1 for those that were never read."""
        contexts = torch.zeros_like(text[:, self.order - 1 :])
        yield contexts
        for tokens in self._back(text):
            keys = contexts * self.vocabulary_size + tokens
            numbers = torch.searchsorted(self.contexts, keys).clamp(max=len(self.contexts) - 1)
            known = (contexts >= 0) & (tokens >= 0) & (self.contexts[numbers] == keys)
            contexts = torch.where(known, numbers, -1)
            yield contexts

    def _unigrams(self) -> Tensor:
        """(vocabulary,): the probabilities after the empty context."""
        result = (self.rest[:1] / self.vocabulary_size).repeat(self.vocabulary_size)
        size = int(torch.searchsorted(self.ngrams, self.vocabulary_size))  # their keys are the tokens
        result[self.ngrams[:size]] += self.given[:size]
        return result

    def _write_probabilities(self, found: Tensor, unigrams: Tensor, result: Tensor) -> None:
        """Into (P, vocabulary), after the contexts (order, P): what each gives, of what the longer ones leave to it."""
        rest = torch.where(found >= 0, self.rest[found], 1.0)
        left = [torch.ones_like(rest[0])]
        for length in range(self.order - 1, 0, -1):
            left.append(left[-1] * rest[length])
        torch.mul(left.pop()[:, None], unigrams, out=result)
        for contexts, share in zip(found[1:], reversed(left), strict=True):
            # there are many: index_select is four times as fast as [] on a CPU
            rows, places = self._followers(contexts)
            shifts = (torch.arange(len(contexts), device=rows.device) - contexts) * self.vocabulary_size
            cells = self.ngrams.index_select(0, places) + shifts.index_select(0, rows)  # row * vocabulary + token
            result.view(-1).index_add_(0, cells, self.given.index_select(0, places) * share.index_select(0, rows))

    def _followers(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """Of all n-grams of contexts (P,), one context after the other: its row 0 .. P - 1, its place in `ngrams`."""
        first, last = (torch.searchsorted(self.ngrams, (contexts + end) * self.vocabulary_size) for end in (0, 1))
        sizes = last - first
        rows = torch.arange(len(contexts), device=contexts.device).repeat_interleave(sizes)
        return rows, torch.arange(len(rows), device=rows.device) + (last - sizes.cumsum(0)).index_select(0, rows)

    @torch.no_grad()
    def learn(self, inputs: Tensor, targets: Tensor, *, epoch: int) -> None:
        """Count a whole text (1, T), whose first input is what ends a line; what was counted before is forgotten."""
        self.line_end = inputs[0, 0].clone()
        text = torch.cat([inputs.new_full((1, self.order - 1), -1), inputs], dim=1)
        contexts = torch.zeros_like(targets[0])  # the number of each place's; -1 where the text does not reach so far
        keys, numbers = self._number(contexts, targets[0])
        tables, ngrams, counts = [self.contexts[:1]], [keys], []
        for tokens in self._back(text):
            keys, contexts = self._number(contexts, tokens[0], first=sum(map(len, tables)))
            tables.append(keys)
            keys, longer = self._number(contexts, targets[0])
            counts.append(_continuations(numbers, longer))
            ngrams.append(keys)
            numbers = longer
        counts.append(torch.bincount(numbers[numbers >= 0]))
        self.contexts, self.ngrams = torch.cat(tables), torch.cat(ngrams)
        self.counts = nn.Parameter(torch.cat(counts).int(), requires_grad=False)
        self.discounts.copy_(self.discounts.new_tensor([estimate_discounts(level) for level in counts]))
        self._weigh()

    def _number(self, contexts: Tensor, tokens: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """The keys of all that there are of these pairs, and the number of each pair from `first` on, -1 for none."""
        there = (contexts >= 0) & (tokens >= 0)
        keys, numbers = _different((contexts * self.vocabulary_size + tokens)[there])
        return keys, torch.full_like(contexts, -1).masked_scatter_(there, numbers + first)

    @torch.no_grad()
    def _weigh(self) -> None:
        """Fill `given` and `rest` from the counts."""
        owners, counts = self.ngrams // self.vocabulary_size, self.counts.long()
        lengths, kinds = self._lengths(), counts.clamp(max=3) - 1
        # whole numbers, whose sums do not depend on the order in which a GPU adds
        totals = torch.zeros_like(self.contexts).index_add_(0, owners, counts)
        of_kind = torch.bincount(3 * owners + kinds, minlength=3 * len(totals)).view(-1, 3)
        self.given = (counts - self.discounts[lengths[owners], kinds]) / totals[owners]
        self.rest = torch.where(totals > 0, (of_kind * self.discounts[lengths]).sum(1) / totals, 1.0)

    def _lengths(self) -> Tensor:
        """How many tokens each context has: as many as the one that its key is made of, and one more."""
        ends = [0, 1]  # of the contexts of each length
        for _ in range(self.order - 1):
            ends.append(int(torch.searchsorted(self.contexts, ends[-1] * self.vocabulary_size)))
        if ends[-1] != len(self.contexts):
            raise RuntimeError(f"the tables are not those of order {self.order}")
        sizes = torch.tensor(ends, device=self.contexts.device).diff()
        return torch.arange(self.order, device=sizes.device).repeat_interleave(sizes)


def _different(keys: Tensor) -> tuple[Tensor, Tensor]:
    """The different ones of many keys, sorted, and the place of each key among them."""
    low, high = (int(end) for end in keys.aminmax()) if len(keys) else (0, 0)
    if high - low > DENSE * len(keys):
        return torch.unique(keys, return_inverse=True)
    # in a list of all that there could be, without sorting: of characters in a fifth of the time
    present = torch.zeros(high - low + 1, dtype=torch.bool, device=keys.device)
    present[keys - low] = True
    return present.nonzero()[:, 0] + low, (present.cumsum(0) - 1)[keys - low]


def _continuations(ngrams: Tensor, longer: Tensor) -> Tensor:
    """After how many different tokens each n-gram stood, from the numbers of it and of the longer one at every place.

    Where the text reaches no further back, there is no longer one, and every time counts.
    """
    inner = longer >= 0
    shorter = longer.new_empty(int(longer.max()) + 1)
    shorter[longer[inner]] = ngrams[inner]
    return torch.bincount(torch.cat([shorter, ngrams[(ngrams >= 0) & ~inner]]))


def estimate_discounts(counts: Tensor) -> tuple[float, ...]:
    """What is taken from counts of 1, 2, and 3 or more, from the numbers n of counts of 1 to 4 (Chen and Goodman 1999).

    k - (k + 1) n[k + 1] / n[k] * n[1] / (n[1] + 2 n[2]), or DISCOUNTS if one of the n is 0 or a discount not above 0.
    """
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return DISCOUNTS
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    return found if min(found) > 0 else DISCOUNTS


def _make_room(network: Ngram, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Tables as large as those that are about to be loaded: only the text has decided their sizes."""
    tables = {"contexts": network.contexts, "ngrams": network.ngrams, "counts": network.counts}
    for name, table in tables.items():
        if prefix + name in state:
            room = table.data.new_empty(state[prefix + name].shape)
            setattr(network, name, nn.Parameter(room, requires_grad=False) if name == "counts" else room)


def _weigh_loaded(network: Ngram, _: Any) -> None:
    network._weigh()
