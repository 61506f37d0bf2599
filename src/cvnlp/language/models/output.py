"""Output layers: features (B, T, size) -> the distribution of the next token, or the nats of given targets alone.

For large vocabularies the logits of a window take most of the memory, and computing them most of the time. For nats
alone, an output layer can compute them in parts (Chunked) or only those of some words (Grouped, Adaptive).
"""

import contextlib
import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.models.chunks import chunked_nats
from cvnlp.params.language_networks import RecurrentOptions

MAX_LOGITS = 2**22  # of Chunked, in memory at a time
GPU_LOGITS = 2**28  # on a GPU: up to so many, computing all of them at once is faster
CUTOFFS = (0.1, 0.4)  # fractions of the vocabulary at which grouped and adaptive softmax begin a new group
DIVISION = 4  # factor by which the adaptive softmax reduces the features of each group of rarer words
ROW_MULTIPLE = 64  # a group's rows are padded to it: matrix products of a new size are compiled first


def on_gpu(outputs: Tensor) -> bool:
    return outputs.is_cuda


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Nats of every target (B, T) in float32; 0 for targets below 0, which are ignored."""
    known = targets.clamp(min=-1).flatten()
    # one row per token: for large vocabularies several times as fast as (B, vocabulary, T)
    rows = logits.float().flatten(0, 1)
    return F.cross_entropy(rows, known, ignore_index=-1, reduction="none").view(targets.shape)


class Plain(nn.Linear):
    """A linear layer that computes the logits of all positions at once."""

    def is_whole_on_gpu(self, positions: int) -> bool:
        """Whether the nats of so many positions are computed on a GPU without waiting for it."""
        return True

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """`cross_entropy` of the logits."""
        return cross_entropy(self(outputs), targets)

    @torch.no_grad()
    def set_bias(self, log_frequencies: Tensor) -> None:
        """Set the bias to these log frequencies (V,)."""
        self.bias.copy_(log_frequencies)


class Chunked(Plain):
    """The same model, computed for a few positions at a time, together with their gradients.

    At most `max_logits` are in memory, on a GPU GPU_LOGITS. `reduced`: matrix products in training are in bfloat16,
    which some processors compute faster; sums stay in float32.
    """

    def __init__(self, size: int, vocabulary_size: int, *, reduced: bool = False, max_logits: int = MAX_LOGITS) -> None:
        super().__init__(size, vocabulary_size)
        self.reduced, self.max_rows = reduced, max(1, max_logits // vocabulary_size)

    def is_whole_on_gpu(self, positions: int) -> bool:
        return positions * self.out_features <= GPU_LOGITS

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        reduced = self.reduced and self.training
        if on_gpu(outputs) and self.is_whole_on_gpu(targets.numel()):
            autocast = torch.autocast(outputs.device.type, torch.bfloat16) if reduced else contextlib.nullcontext()
            with autocast:
                return super().nats(outputs, targets)
        rows, known = outputs.flatten(0, 1).to(self.weight.dtype), targets.flatten()
        dtype = torch.bfloat16 if reduced else rows.dtype
        nats = chunked_nats(rows, self.weight, self.bias, known, dtype=dtype, max_rows=self.max_rows)
        return nats.view(targets.shape)


class Grouped(Plain):
    """Class-based softmax (Goodman 2001; Mikolov et al. 2011) with groups of words by frequency.

    The probability of a rare word is that of its group times that of the word within the group; words before the first
    of `cutoffs` belong to no group. Unlike in the adaptive softmax all words have a bias and vectors of the full size,
    which can be tied to the embedding. Token ids must be in descending order of frequency, as in the prepared data.
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

    def is_whole_on_gpu(self, positions: int) -> bool:
        return positions * self.out_features <= GPU_LOGITS

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """`cross_entropy`, computed within the group of each target alone, or on a GPU from the whole distribution."""
        if on_gpu(outputs) and self.is_whole_on_gpu(targets.numel()):
            rows, wanted = self(outputs).float().flatten(0, 1), targets.clamp(min=-1).flatten()
            return F.nll_loss(rows, wanted, ignore_index=-1, reduction="none").view(targets.shape)
        known = targets >= 0
        rows, words = outputs[known], targets[known]
        number = torch.bucketize(words, torch.tensor(self.cutoffs, device=words.device), right=True)
        # split once: the gradient is one matrix, while slices would have one each
        weights, biases = self.weight.split(self.sizes), self.bias.split(self.sizes)
        wanted = torch.where(number > 0, self.cutoffs[0] + number - 1, words)
        head = torch.cat([weights[0], self.groups.weight]), torch.cat([biases[0], self.groups.bias])
        found = _nats(rows, *head, wanted)
        for group, start in enumerate(self.cutoffs, start=1):
            own = (number == group).nonzero().squeeze(1)
            filled = torch.cat([own, own[:1].expand(-len(own) % ROW_MULTIPLE)])
            nats = _nats(rows[filled], weights[group], biases[group], words[filled] - start)
            found = found.index_add(0, own, nats[: len(own)])
        return torch.zeros_like(targets, dtype=torch.float32).masked_scatter(known, found)

    @torch.no_grad()
    def set_bias(self, log_frequencies: Tensor) -> None:
        super().set_bias(log_frequencies)
        rarer = log_frequencies.split(self.sizes)[1:]
        self.groups.bias.copy_(torch.stack([words.logsumexp(dim=0) for words in rarer]))


def _nats(rows: Tensor, weight: Tensor, bias: Tensor, wanted: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(rows, weight, bias).float(), wanted, reduction="none")


class Adaptive(nn.Module):
    """The adaptive softmax (Grave et al. 2017): as Grouped, but each group of rarer words uses fewer features."""

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

    def is_whole_on_gpu(self, positions: int) -> bool:
        """Never: how many targets are in each group is not known without waiting."""
        return False

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """`cross_entropy`, computed within the group of each target alone."""
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
