"""Windows of tokens from the memory maps: (inputs, targets, fresh), both int64 (B, T).

The text is cut into B columns, read side by side; a window is T tokens of each. As in the alphabet below with B = 3,
T = 2 (targets are the inputs moved on by one), every token is a target once, the first predicted from the start
token; what pads the last column is IGNORED.

    text: a b c d e f g h        columns: a b c | d e f | g h .
    targets of window 1: ab / de / gh        of window 2: c / f / .

`fresh` tells the reader to forget its state: the window does not continue the one before.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.params.runs import LanguageTrain

IGNORED = -100  # what torch's cross entropy leaves out
AT_ONCE = 2**22  # tokens of a text that are counted together
VALIDATION_COLUMNS = 64  # columns read side by side between epochs: fast; the final score reads one
SHORTEST, SPREAD, HALVED = 5, 5.0, 0.05  # of windows of variable length (Merity et al. 2018)


class Windows:
    """`count` windows from `first` on, going round at the end of the text; with a `seed`, of variable lengths."""

    def __init__(
        self,
        tokens: np.ndarray,
        start: int,
        *,
        columns: int,
        window: int,
        first: int = 0,
        count: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.length = length = -(-len(tokens) // columns)
        self.inputs = _columns(np.concatenate(([start], tokens[:-1])), columns, length, padding=0)
        self.targets = _columns(tokens, columns, length, padding=IGNORED)
        self.window, self.first, self.seed = window, first, seed
        self.per_pass = windows_in(len(tokens), columns, window)
        self.count = self.per_pass if count is None else count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, bool]]:
        for number in range(self.first, self.first + self.count):
            turn, place = divmod(number, self.per_pass)
            if place == 0 or number == self.first:
                borders = self._borders(turn)
            part = slice(borders[place], borders[place + 1])
            inputs, targets = (torch.from_numpy(side[:, part].astype(np.int64)) for side in (self.inputs, self.targets))
            yield inputs, targets, place == 0 or number == self.first

    def _borders(self, turn: int) -> np.ndarray:
        """Where the windows of a pass begin, and where the last ends."""
        if self.seed is None:
            return np.minimum(np.arange(self.per_pass + 1) * self.window, self.length)
        generator = np.random.default_rng((self.seed, turn))
        return variable_borders(self.length, self.per_pass, self.window, generator)


def variable_borders(length: int, count: int, window: int, generator: np.random.Generator) -> np.ndarray:
    """The borders of `count` windows that fill `length`, drawn as AWD-LSTM's: about `window` long, a few about half.

    Other passes cut the text elsewhere, so that it is not always the same tokens whose gradient is cut. The drawn
    lengths are stretched by the few per cent that make their number that of windows of one length: then the steps of a
    training are known beforehand.
    """
    means = np.where(generator.random(count) < HALVED, window / 2, window)
    drawn = np.clip(generator.normal(means, SPREAD), SHORTEST, 2 * window)  # so that no window is empty once stretched
    ends = np.cumsum(drawn) / drawn.sum() * length
    return np.concatenate(([0], np.floor(ends + 0.5).astype(np.int64)))


def windows_in(tokens: int, columns: int, window: int) -> int:
    """How many windows one pass through a text of so many tokens has."""
    return -(-tokens // columns // window)


def _columns(tokens: np.ndarray, columns: int, length: int, padding: int) -> np.ndarray:
    filled = np.full(columns * length, padding, dtype=np.int32)
    filled[: len(tokens)] = tokens
    return filled.reshape(columns, length)


def train_batches(folder: Path, options: LanguageTrain, *, seed: int, epoch: int) -> Windows:
    """The windows of an epoch: `epoch_tokens` from where the epoch before ended, or the whole text."""
    columns, window = options.batch_size, options.window
    tokens = prepared.load_array(folder, "train")
    if len(tokens) < columns * window:
        raise ValueError(
            f"train.batch_size {columns} x train.window {window} = {columns * window} tokens, "
            f"but the training text has only {len(tokens)}"
        )
    part = options.epoch_tokens
    count = max(1, part // (columns * window)) if part else windows_in(len(tokens), columns, window)
    lengths = {"seed": seed} if options.window_lengths == "variable" else {}
    return Windows(tokens, _start(folder), columns=columns, window=window, first=epoch * count, count=count, **lengths)


def count_tokens(tokens: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """How often each token stands in a text (V,), which need not fit into memory."""
    counts = np.zeros(vocabulary_size, dtype=np.int64)
    for begin in range(0, len(tokens), AT_ONCE):
        counts += np.bincount(tokens[begin : begin + AT_ONCE], minlength=vocabulary_size)
    return counts


def whole_text(folder: Path) -> Windows:
    """The training text in one window of one column."""
    tokens = prepared.load_array(folder, "train")
    return Windows(tokens, _start(folder), columns=1, window=len(tokens))


def validation_batches(folder: Path, options: LanguageTrain) -> Windows:
    """The whole validation text: every token is a target once."""
    tokens = prepared.load_array(folder, "validation")
    return Windows(tokens, _start(folder), columns=VALIDATION_COLUMNS, window=options.window)


def _start(folder: Path) -> int:
    return prepared.read_facts(folder, prepared.LanguageFacts).start
