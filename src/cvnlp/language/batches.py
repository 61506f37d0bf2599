"""Windows of tokens, read from the memory maps of a prepared data set.

The text is cut into B columns, which are read in parallel; a window is T tokens of each column. Example with B = 3 and
T = 2 (the targets are the inputs shifted by one):

    text: a b c d e f g h        columns: a b c | d e f | g h .
    targets of window 1: ab / de / gh        of window 2: c / f / .

Every token is a target once, the first one predicted from the start token; the padding of the last column is IGNORED.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.launch.slices import WHOLE, BatchSlices
from cvnlp.params.runs import LanguageTrain

IGNORED = -100  # the target that torch's cross entropy ignores
COUNT_CHUNK = 2**22  # tokens that are counted at a time
VALIDATION_COLUMNS = 64  # read in parallel after every epoch, for speed; the final score reads one
# Windows of variable length (Merity et al. 2018): least length, standard deviation, share of windows of half length
SHORTEST, SPREAD, HALVED = 5, 5.0, 0.05


class TokenBatch(NamedTuple):
    """`inputs` and `targets` int64 (B, T); `reset_state`: the window does not continue the one before."""

    inputs: Tensor
    targets: Tensor
    reset_state: bool


class Windows:
    """`count` windows from number `first` on, which start again at the end of the text.

    By default all windows of one pass. With a `seed` they have variable lengths (`variable_borders`). Each window is
    read when it is needed, so that the text need not fit into memory. `slices`: the columns that this process reads;
    in how many pieces, each with the same columns in every window.
    """

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
        slices: BatchSlices = WHOLE,
    ) -> None:
        self.tokens, self.columns, self.length = np.asarray(tokens), columns, -(-len(tokens) // columns)
        self.window, self.first, self.seed = window, first, seed
        self.per_pass = windows_in(len(tokens), columns, window)
        self.count = self.per_pass if count is None else count
        self._before = np.zeros((columns, 1), dtype=np.int64)  # the token before each column
        ends = self.tokens[self.length - 1 :: self.length][: columns - 1]
        self._before[0], self._before[1 : len(ends) + 1, 0] = start, ends
        self._sides: list[Tensor] | None = None
        self.slices = slices
        self.pieces = list(slices.cut(columns))

    @property
    def nbytes(self) -> int:
        """Bytes of the text on a device."""
        return 2 * self.columns * self.length * np.dtype(np.int32).itemsize

    def to(self, device: torch.device) -> "Windows":
        """Cut the windows on this device, to which the whole text moves."""
        self._sides = [side.to(device, torch.int32) for side in self.cut(0, self.length)]
        return self

    def __len__(self) -> int:
        return self.count * self.slices.accumulate

    def __iter__(self) -> Iterator[TokenBatch]:
        return self.starting_at(0)

    def starting_at(self, number: int) -> Iterator[TokenBatch]:
        """From the window with this number of the `count` on."""
        borders = None
        for window in range(self.first + number, self.first + self.count):
            text_pass, position = divmod(window, self.per_pass)
            reset_state = position == 0 or window == self.first
            if borders is None or reset_state:
                borders = self._borders(text_pass)
            for columns in self.pieces:
                inputs, targets = self.cut(int(borders[position]), int(borders[position + 1]), columns)
                yield TokenBatch(inputs, targets, reset_state)

    def cut(self, begin: int, end: int, columns: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the columns from `begin` to before `end`, by default of all columns."""
        if self._sides is not None:
            inputs, targets = (side[columns, begin:end].long() for side in self._sides)
            return inputs, targets
        of_text = self._read(begin, end, columns)
        before = self._read(begin - 1, begin, columns) if begin else self._before[columns]
        inputs_of_text = np.concatenate((before, of_text[:, :-1]), axis=1)
        inputs_of_text[of_text == IGNORED] = 0
        return torch.from_numpy(inputs_of_text), torch.from_numpy(of_text)

    def _read(self, begin: int, end: int, columns: slice) -> np.ndarray:
        """The tokens of the columns from `begin` to before `end`, IGNORED after the end of the text."""
        first, last, _ = columns.indices(self.columns)
        found = np.full((last - first, end - begin), IGNORED, dtype=np.int64)
        whole = len(self.tokens) // self.length  # columns without padding
        of_whole = self.tokens[: whole * self.length].reshape(whole, self.length)[first:last, begin:end]
        found[: len(of_whole)] = of_whole
        if first <= whole < last:
            rest = self.tokens[whole * self.length :][begin:end]
            found[whole - first, : len(rest)] = rest
        return found

    def _borders(self, text_pass: int) -> np.ndarray:
        """Starts of the windows of a pass, and the end of the last, (windows + 1,)."""
        if self.seed is None:
            return np.minimum(np.arange(self.per_pass + 1) * self.window, self.length)
        generator = np.random.default_rng((self.seed, text_pass))
        return variable_borders(self.length, self.per_pass, self.window, generator)


def variable_borders(length: int, count: int, window: int, generator: np.random.Generator) -> np.ndarray:
    """Borders (count + 1,) of `count` windows that fill `length`: random lengths as in AWD-LSTM (Merity et al. 2018).

    They have the mean `window`, a share HALVED of them half of it. Each pass has other borders, so that the gradient is
    not always cut at the same tokens. The lengths are scaled by a few per cent to fill the text in `count` windows, as
    windows of fixed length do: so the number of steps is known before training.
    """
    means = np.where(generator.random(count) < HALVED, window / 2, window)
    drawn = np.clip(generator.normal(means, SPREAD), SHORTEST, 2 * window)  # so that no window is empty once scaled
    ends = np.cumsum(drawn) / drawn.sum() * length
    return np.concatenate(([0], np.floor(ends + 0.5).astype(np.int64)))


def windows_in(tokens: int, columns: int, window: int) -> int:
    """Number of windows in one pass through a text of `tokens` tokens."""
    return -(-tokens // columns // window)


def train_batches(
    folder: Path, options: LanguageTrain, *, seed: int, epoch: int, slices: BatchSlices = WHOLE
) -> Windows:
    """The windows of an epoch: the next `epoch_tokens` tokens after the last epoch, or the whole text.

    ValueError if the text is too short for a single window, or the columns cannot be divided into equal slices.
    """
    columns, window = options.batch_size, options.window
    tokens = prepared.load_array(folder, "train")
    if len(tokens) < columns * window:
        raise ValueError(
            f"train.batch_size {columns} x train.window {window} = {columns * window} tokens are more than the "
            f"{len(tokens)} of the training text; lower one of them"
        )
    if columns % slices.total:
        raise ValueError(
            f"train.batch_size: {columns} columns of text cannot be divided into {slices.total} equal parts "
            "(processes x CVNLP_ACCUMULATE); choose a multiple"
        )
    part = options.epoch_tokens
    count = max(1, part // (columns * window)) if part else windows_in(len(tokens), columns, window)
    lengths = {"seed": seed} if options.window_lengths == "variable" else {}
    return Windows(
        tokens,
        _start(folder),
        columns=columns,
        window=window,
        first=epoch * count,
        count=count,
        slices=slices,
        **lengths,
    )


def count_tokens(tokens: np.ndarray, vocabulary_size: int, *, chunk: int = COUNT_CHUNK) -> np.ndarray:
    """Occurrences of each token, int64 (V,); the text need not fit into memory."""
    counts = np.zeros(vocabulary_size, dtype=np.int64)
    for begin in range(0, len(tokens), chunk):
        counts += np.bincount(tokens[begin : begin + chunk], minlength=vocabulary_size)
    return counts


def whole_text(folder: Path) -> Windows:
    """The training text as a single window of one column."""
    tokens = prepared.load_array(folder, "train")
    return Windows(tokens, _start(folder), columns=1, window=len(tokens))


def validation_batches(folder: Path, options: LanguageTrain, *, slices: BatchSlices = WHOLE) -> Windows:
    """The whole validation text in VALIDATION_COLUMNS columns."""
    tokens = prepared.load_array(folder, "validation")
    return Windows(tokens, _start(folder), columns=VALIDATION_COLUMNS, window=options.window, slices=slices)


def _start(folder: Path) -> int:
    return prepared.read_facts(folder, prepared.LanguageFacts).start


def evenly_spaced_excerpts(
    folder: Path, split: str, start: int, *, count: int, length: int, key: str
) -> tuple[Tensor, Tensor]:
    """Inputs and targets int64 (count, length) of excerpts at equal distances in a split; the first is its beginning.

    ValueError that names `key`, the key of `length` in params.yaml, if the split has fewer tokens than an excerpt.
    """
    tokens = np.concatenate(([start], prepared.load_array(folder, split))).astype(np.int64)
    if len(tokens) <= length:
        raise ValueError(f"{key}: {length} is more than the {len(tokens) - 1} tokens of the {split} text")
    first = np.linspace(0, len(tokens) - length - 1, count).astype(int)
    excerpts = torch.from_numpy(np.stack([tokens[place : place + length + 1] for place in first]))
    return excerpts[:, :-1].contiguous(), excerpts[:, 1:].contiguous()
