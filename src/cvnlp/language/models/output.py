"""From what the last layer says (B, T, size) to the next token: its distribution, or the nats of a given one alone.

Over many words the logits of a window are by far the largest thing in memory, and their products most of the work.
An output layer that is only asked for nats need not have them all at once (Chunked), or not make them all (Grouped,
Adaptive).
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.models.chunks import chunked_nats
from cvnlp.params.language_networks import RecurrentOptions

CUTOFFS = (0.1, 0.4)  # shares of the vocabulary at which grouped and adaptive softmax begin a new group
DIVISION = 4  # how many times narrower the adaptive softmax reads each group of rarer words
ROWS = 64  # a group's tokens are filled up to a multiple of it: a product of a size not seen before is compiled first


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Nats of every target (B, T) in fp32; 0 of those below 0, which are no tokens but what is ignored."""
    known = targets.clamp(min=-1).flatten()
    # the tokens in one row: over many words several times as fast as (B, vocabulary, T)
    rows = logits.float().flatten(0, 1)
    return F.cross_entropy(rows, known, ignore_index=-1, reduction="none").view(targets.shape)


class Plain(nn.Linear):
    """A linear layer: the logits of all positions together."""

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As cross_entropy of the logits."""
        return cross_entropy(self(outputs), targets)

    @torch.no_grad()
    def begin_at(self, log_frequencies: Tensor) -> None:
        """Without an input it predicts what has these logs of frequencies (V,)."""
        self.bias.copy_(log_frequencies)


class Chunked(Plain):
    """The same, a few positions after the other, and the gradients with them while their logits are there.

    `reduced`: in training of products in bfloat16, which some processors make faster; sums over all tokens are fp32.
    """

    def __init__(self, size: int, vocabulary_size: int, *, reduced: bool = False) -> None:
        super().__init__(size, vocabulary_size)
        self.reduced = reduced

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        rows, known = outputs.flatten(0, 1).to(self.weight.dtype), targets.flatten()
        dtype = torch.bfloat16 if self.reduced and self.training else rows.dtype
        return chunked_nats(rows, self.weight, self.bias, known, dtype).view(targets.shape)


class Grouped(Plain):
    """Rarer words in groups: the probability of a group among the frequent words, times that of a word within it.

    The class-based softmax (Goodman 2001; Mikolov et al. 2011) in groups by frequency as the adaptive one has, the
    words up to the first of `cutoffs` beside the groups. Unlike there all words have vectors of the whole size, which
    can be tied to the embedding, and a bias. The tokens are numbered by how often they are, as the data's are.
    """

    def __init__(self, size: int, vocabulary_size: int, *, cutoffs: Sequence[int]) -> None:
        super().__init__(size, vocabulary_size)
        _check_cutoffs(cutoffs, vocabulary_size)
        self.sizes = [end - start for start, end in itertools.pairwise([0, *cutoffs, vocabulary_size])]
        self.cutoffs = [*cutoffs]
        self.groups = nn.Linear(size, len(cutoffs))

    def forward(self, outputs: Tensor) -> Tensor:
        """Log-probabilities (B, T, vocabulary)."""
        frequent, *rarer = super().forward(outputs).split(self.sizes, dim=-1)
        head = F.log_softmax(torch.cat([frequent, self.groups(outputs)], dim=-1), dim=-1)
        known, *groups = head.split([self.sizes[0], *[1] * len(rarer)], dim=-1)
        within = [group + F.log_softmax(words, dim=-1) for group, words in zip(groups, rarer, strict=True)]
        return torch.cat([known, *within], dim=-1)

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As cross_entropy, but of the words' own groups alone."""
        known = targets >= 0
        rows, words = outputs[known], targets[known]
        number = torch.bucketize(words, torch.tensor(self.cutoffs, device=words.device), right=True)
        # split once: its gradient is one matrix, that of slices would be one for each of them
        weights, biases = self.weight.split(self.sizes), self.bias.split(self.sizes)
        wanted = torch.where(number > 0, self.cutoffs[0] + number - 1, words)
        head = torch.cat([weights[0], self.groups.weight]), torch.cat([biases[0], self.groups.bias])
        found = _nats(rows, *head, wanted)
        for group, start in enumerate(self.cutoffs, start=1):
            own = (number == group).nonzero().squeeze(1)
            filled = torch.cat([own, own[:1].expand(-len(own) % ROWS)])
            nats = _nats(rows[filled], weights[group], biases[group], words[filled] - start)
            found = found.index_add(0, own, nats[: len(own)])
        return torch.zeros_like(targets, dtype=torch.float32).masked_scatter(known, found)

    @torch.no_grad()
    def begin_at(self, log_frequencies: Tensor) -> None:
        super().begin_at(log_frequencies)
        rarer = log_frequencies.split(self.sizes)[1:]
        self.groups.bias.copy_(torch.stack([words.logsumexp(dim=0) for words in rarer]))


def _nats(rows: Tensor, weight: Tensor, bias: Tensor, wanted: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(rows, weight, bias).float(), wanted, reduction="none")


class Adaptive(nn.Module):
    """The adaptive softmax (Grave et al. 2017): rarer words in groups, each read with fewer features than the last.

    A word's probability is that of its group times that within it; the words up to the first of `cutoffs` are no group
    but stand beside them. So the nats of a frequent word need none of the rare ones. The tokens are numbered by how
    often they are, as the data's are.
    """

    def __init__(self, size: int, vocabulary_size: int, *, cutoffs: Sequence[int]) -> None:
        super().__init__()
        _check_cutoffs(cutoffs, vocabulary_size)
        if size < DIVISION ** len(cutoffs):
            raise ValueError(
                f"model.output: adaptive with {len(cutoffs)} cutoffs needs a last layer of {DIVISION ** len(cutoffs)} "
                f"or more, not {size}"
            )
        self.groups = nn.AdaptiveLogSoftmaxWithLoss(size, vocabulary_size, [*cutoffs], div_value=DIVISION)

    def forward(self, outputs: Tensor) -> Tensor:
        """Log-probabilities (B, T, vocabulary)."""
        return self.groups.log_prob(outputs.flatten(0, 1)).view(*outputs.shape[:2], -1)

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As cross_entropy, but of the words' own groups alone."""
        known = targets >= 0
        found = self.groups(outputs[known], targets[known]).output
        return torch.zeros_like(targets, dtype=torch.float32).masked_scatter(known, -found.float())


def _check_cutoffs(cutoffs: Sequence[int], vocabulary_size: int) -> None:
    if cutoffs[-1] >= vocabulary_size:
        raise ValueError(f"model.cutoffs: {[*cutoffs]} must be below the {vocabulary_size} tokens of the vocabulary")


Output = Plain | Chunked | Grouped | Adaptive


def make_output(size: int, vocabulary_size: int, options: RecurrentOptions) -> Output:
    """The output layer `options.output` on features of this size."""
    if options.output in ("grouped", "adaptive"):
        layer = Grouped if options.output == "grouped" else Adaptive
        fractions = sorted({max(1, int(share * vocabulary_size)) for share in CUTOFFS})
        return layer(size, vocabulary_size, cutoffs=options.cutoffs or fractions)
    if options.output == "chunked":
        return Chunked(size, vocabulary_size, reduced=options.output_precision == "bf16")
    return Plain(size, vocabulary_size)
