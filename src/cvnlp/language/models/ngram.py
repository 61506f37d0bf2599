"""The n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), as exact probabilities.

Let c(h w) be the count of token w after the context h, h' the context without its oldest token, and D(c) a discount for
counts of 1, 2, and 3 or more. Then

    p(w | h) = (c(h w) - D(c(h w))) / c(h) + (sum of D(c(h v)) over all v) / c(h) * p(w | h'),

down to the empty context, which is interpolated with the uniform distribution. The first term is 0 if h w does not
occur in the training text; if h does not occur, p(w | h) = p(w | h'). For the longest contexts c counts occurrences in
the text, for shorter ones the number of different preceding tokens.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cvnlp.language.models.output import cross_entropy
from cvnlp.params.language_networks import NgramOptions
from cvnlp.params.network_config import TextFormat

DENSE = 4
DISCOUNTS = (0.5, 1.0, 1.5)  # of context lengths whose discounts cannot be estimated


class Ngram(nn.Module):
    """Probabilities from the counts of n-grams up to `order` tokens; before learning, all tokens are equally likely.

    With `across_lines` false no context spans a line end, as if every line were a text of its own: an order of 5 then
    has the perplexity 141.2 on the test text of the Penn Treebank, as published (Mikolov and Zweig 2012), and 141.1
    otherwise.

    Contexts and n-grams are stored as sorted keys. A context is identified by its index in `contexts`; 0 is the empty
    context. Its key is (index of the context without its oldest token) * vocabulary + (oldest token), so that longer
    contexts come later. The key in `ngrams` is (context) * vocabulary + (next token), so that the n-grams of a context
    are adjacent. `counts` (of each n-gram) and `discounts` (order, 3) are learned from the text, and count as
    parameters.

    `positions_at_once`: positions of a text at which the probabilities of all tokens are computed together.
    """

    positions_at_once = 128

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
        # derived from the counts: the first term for every n-gram, and the factor of p(w | h') for every context
        self.register_buffer("given", torch.empty(0), persistent=False)
        self.register_buffer("rest", torch.ones(1), persistent=False)
        self.register_load_state_dict_pre_hook(_resize_before_loading)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_derive_after_loading)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, T, vocabulary); the state is the last order - 1 tokens (B, order - 1), -1 for none."""
        before = tokens.new_full((len(tokens), self.order - 1), -1) if state is None else state
        text = torch.cat([before, tokens], dim=1)
        found = torch.stack([contexts.flatten() for contexts in self._find(text)])
        unigrams = self._unigrams()
        logits = unigrams.new_empty(tokens.numel(), self.vocabulary_size)
        size = self.positions_at_once
        for contexts, result in zip(found.split(size, dim=1), logits.split(size), strict=True):
            self._write_probabilities(contexts, unigrams, result)
        return logits.log_().view(*tokens.shape, -1), text[:, tokens.shape[1] :]

    def nats(self, tokens: Tensor, targets: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of every target (B, T) in float32; 0 for IGNORED targets."""
        logits, state = self(tokens, state)
        return cross_entropy(logits, targets), state

    def _preceding(self, text: Tensor) -> Iterator[Tensor]:
        """The tokens (B, T) that are 1, 2, ... order - 1 positions back, for all positions from order - 1 on.

        -1 where no context may extend.
        """
        length = text.shape[1] - self.order + 1
        allowed = torch.ones_like(text[:, :length], dtype=torch.bool)
        for distance in range(1, self.order):
            tokens = text[:, self.order - distance : self.order - distance + length]
            yield torch.where(allowed, tokens, -1)
            allowed = allowed & (tokens >= 0)
            if not self.across_lines:
                allowed = allowed & (tokens != self.line_end)

    def _find(self, text: Tensor) -> Iterator[Tensor]:
        """The indices of the contexts (B, T) of 0, 1, ... order - 1 tokens; -1 for contexts that were not learned."""
        contexts = torch.zeros_like(text[:, self.order - 1 :])
        yield contexts
        for tokens in self._preceding(text):
            keys = contexts * self.vocabulary_size + tokens
            indices = torch.searchsorted(self.contexts, keys).clamp(max=len(self.contexts) - 1)
            known = (contexts >= 0) & (tokens >= 0) & (self.contexts[indices] == keys)
            contexts = torch.where(known, indices, -1)
            yield contexts

    def _unigrams(self) -> Tensor:
        """The probabilities (vocabulary,) after the empty context."""
        result = (self.rest[:1] / self.vocabulary_size).repeat(self.vocabulary_size)
        size = int(torch.searchsorted(self.ngrams, self.vocabulary_size))  # their keys are the tokens
        result[self.ngrams[:size]] += self.given[:size]
        return result

    def _write_probabilities(self, found: Tensor, unigrams: Tensor, result: Tensor) -> None:
        """Write the probabilities after the contexts `found` (order, P) into `result` (P, vocabulary).

        Every context contributes its first term, weighted by the factors of all longer contexts.
        """
        rest = torch.where(found >= 0, self.rest[found], 1.0)
        weights = [torch.ones_like(rest[0])]
        for length in range(self.order - 1, 0, -1):
            weights.append(weights[-1] * rest[length])
        torch.mul(weights.pop()[:, None], unigrams, out=result)
        for contexts, weight in zip(found[1:], reversed(weights), strict=True):
            # index_select is four times as fast as [] on a CPU
            rows, places = self._followers(contexts)
            shifts = (torch.arange(len(contexts), device=rows.device) - contexts) * self.vocabulary_size
            cells = self.ngrams.index_select(0, places) + shifts.index_select(0, rows)  # row * vocabulary + token
            result.view(-1).index_add_(0, cells, self.given.index_select(0, places) * weight.index_select(0, rows))

    def _followers(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """All n-grams of the contexts (P,), context by context: their rows 0 .. P - 1 and their indices in `ngrams`."""
        first, last = (torch.searchsorted(self.ngrams, (contexts + end) * self.vocabulary_size) for end in (0, 1))
        sizes = last - first
        rows = torch.arange(len(contexts), device=contexts.device).repeat_interleave(sizes)
        return rows, torch.arange(len(rows), device=rows.device) + (last - sizes.cumsum(0)).index_select(0, rows)

    @torch.no_grad()
    def learn(self, inputs: Tensor, targets: Tensor, *, epoch: int) -> None:
        """Count a whole text (1, T), whose first input is the line end; earlier counts are discarded."""
        self.line_end = inputs[0, 0].clone()
        text = torch.cat([inputs.new_full((1, self.order - 1), -1), inputs], dim=1)
        contexts = torch.zeros_like(targets[0])  # indices; -1 where a context would begin before the text
        keys, indices = self._index(contexts, targets[0])
        tables, ngrams, counts = [self.contexts[:1]], [keys], []
        for tokens in self._preceding(text):
            keys, contexts = self._index(contexts, tokens[0], first=sum(map(len, tables)))
            tables.append(keys)
            keys, longer = self._index(contexts, targets[0])
            counts.append(_continuations(indices, longer))
            ngrams.append(keys)
            indices = longer
        counts.append(torch.bincount(indices[indices >= 0]))
        self.contexts, self.ngrams = torch.cat(tables), torch.cat(ngrams)
        self.counts = nn.Parameter(torch.cat(counts).int(), requires_grad=False)
        self.discounts.copy_(self.discounts.new_tensor([estimate_discounts(level) for level in counts]))
        self._derive_weights()

    def _index(self, contexts: Tensor, tokens: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """The distinct keys of these pairs, and the index of each pair, counted from `first`; -1 where one is -1."""
        valid = (contexts >= 0) & (tokens >= 0)
        keys, indices = unique_keys((contexts * self.vocabulary_size + tokens)[valid])
        return keys, torch.full_like(contexts, -1).masked_scatter_(valid, indices + first)

    @torch.no_grad()
    def _derive_weights(self) -> None:
        """Compute `given` and `rest` from the counts."""
        owners, counts = self.ngrams // self.vocabulary_size, self.counts.long()
        lengths, kinds = self._lengths(), counts.clamp(max=3) - 1
        # integers, whose sums do not depend on the order in which a GPU adds
        totals = torch.zeros_like(self.contexts).index_add_(0, owners, counts)
        of_kind = torch.bincount(3 * owners + kinds, minlength=3 * len(totals)).view(-1, 3)
        self.given = (counts - self.discounts[lengths[owners], kinds]) / totals[owners]
        self.rest = torch.where(totals > 0, (of_kind * self.discounts[lengths]).sum(1) / totals, 1.0)

    def _lengths(self) -> Tensor:
        """The number of tokens of each context: one more than the context in its key."""
        ends = [0, 1]  # of the contexts of each length
        for _ in range(self.order - 1):
            ends.append(int(torch.searchsorted(self.contexts, ends[-1] * self.vocabulary_size)))
        if ends[-1] != len(self.contexts):
            raise RuntimeError(f"the tables are not those of order {self.order}")
        sizes = torch.tensor(ends, device=self.contexts.device).diff()
        return torch.arange(self.order, device=sizes.device).repeat_interleave(sizes)


def unique_keys(keys: Tensor, *, dense: int = DENSE) -> tuple[Tensor, Tensor]:
    """The distinct keys, sorted, and the index of each key among them.

    A table of all possible keys is used if there are at most `dense` times as many of them as keys.
    """
    low, high = (int(end) for end in keys.aminmax()) if len(keys) else (0, 0)
    if high - low > dense * len(keys):
        return torch.unique(keys, return_inverse=True)
    # a table of all possible keys avoids sorting: for characters five times as fast
    present = torch.zeros(high - low + 1, dtype=torch.bool, device=keys.device)
    present[keys - low] = True
    return present.nonzero()[:, 0] + low, (present.cumsum(0) - 1)[keys - low]


def _continuations(ngrams: Tensor, longer: Tensor) -> Tensor:
    """The number of different tokens before each n-gram, from the indices of it and of the longer one at each position.

    Where the n-gram begins the text or a line, there is no longer one, and every occurrence counts.
    """
    inner = longer >= 0
    shorter = longer.new_empty(int(longer.max()) + 1)
    shorter[longer[inner]] = ngrams[inner]
    return torch.bincount(torch.cat([shorter, ngrams[(ngrams >= 0) & ~inner]]))


def estimate_discounts(counts: Tensor) -> tuple[float, ...]:
    """The discounts for counts of 1, 2, and 3 or more, where n[k] n-grams have the count k (Chen and Goodman 1999).

    k - (k + 1) n[k + 1] / n[k] * n[1] / (n[1] + 2 n[2]), or DISCOUNTS if an n is 0 or a discount is not positive.
    """
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return DISCOUNTS
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    return found if min(found) > 0 else DISCOUNTS


def _resize_before_loading(network: Ngram, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the tables the sizes of those about to be loaded, which depend on the training text."""
    tables = {"contexts": network.contexts, "ngrams": network.ngrams, "counts": network.counts}
    for name, table in tables.items():
        if prefix + name in state:
            empty = table.data.new_empty(state[prefix + name].shape)
            setattr(network, name, nn.Parameter(empty, requires_grad=False) if name == "counts" else empty)


def _derive_after_loading(network: Ngram, _: Any) -> None:
    network._derive_weights()
