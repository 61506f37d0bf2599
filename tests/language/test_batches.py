"""Windows of tokens: every token is a target once, in order, for any number of columns and any window."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvnlp.data import prepared
from cvnlp.language.batches import (
    IGNORED,
    Windows,
    count_tokens,
    train_batches,
    validation_batches,
    whole_text,
    windows_in,
)
from cvnlp.params.runs import LanguageTrain

START = 99
CASES = [
    (length, columns, window)
    for length in (1, 8, 50)
    for columns in (1, 3, 8)
    for window in (1, 2, 5, 100)
    if columns <= length
]


def read(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of all windows, concatenated: (columns, length)."""
    inputs, targets, _ = zip(*windows, strict=True)
    return torch.cat(inputs, dim=1).numpy(), torch.cat(targets, dim=1).numpy()


def make_tokens(length: int) -> np.ndarray:
    return np.arange(1, length + 1, dtype=np.uint16)


def test_the_example_of_the_docstring() -> None:
    windows = list(Windows(make_tokens(8), START, columns=3, window=2))  # a is 1, h is 8
    assert [batch.targets.tolist() for batch in windows] == [[[1, 2], [4, 5], [7, 8]], [[3], [6], [IGNORED]]]
    assert windows[0].inputs.tolist() == [[START, 1], [3, 4], [6, 7]]
    assert windows[1].inputs[:2].tolist() == [[2], [5]]
    assert [batch.reset_state for batch in windows] == [True, False]


@pytest.mark.parametrize(("length", "columns", "window"), CASES)
def test_every_token_is_a_target_once_and_in_order(length: int, columns: int, window: int) -> None:
    tokens = make_tokens(length)
    _, targets = read(Windows(tokens, START, columns=columns, window=window))
    assert targets[targets != IGNORED].tolist() == tokens.tolist()
    assert (targets.reshape(-1)[length:] == IGNORED).all()


@pytest.mark.parametrize(("length", "columns", "window"), CASES)
def test_every_target_is_predicted_from_the_token_before_it(length: int, columns: int, window: int) -> None:
    inputs, targets = read(Windows(make_tokens(length), START, columns=columns, window=window))
    before = np.concatenate(([START], np.arange(1, length)))
    assert inputs[targets != IGNORED].tolist() == before.tolist()


@pytest.mark.parametrize(("length", "columns", "window"), CASES)
def test_a_window_continues_the_one_before(length: int, columns: int, window: int) -> None:
    windows = list(Windows(make_tokens(length), START, columns=columns, window=window))
    assert len(windows) == len(Windows(make_tokens(length), START, columns=columns, window=window))
    for (_, targets, _), (inputs, next_targets, reset_state) in itertools.pairwise(windows):
        assert not reset_state
        real = next_targets[:, 0] != IGNORED
        assert torch.equal(inputs[real, 0], targets[real, -1])


@pytest.mark.parametrize(("length", "columns", "window"), CASES)
def test_windows_are_int64_of_one_shape_except_the_last(length: int, columns: int, window: int) -> None:
    windows = list(Windows(make_tokens(length), START, columns=columns, window=window))
    for inputs, targets, _ in windows:
        assert inputs.dtype == targets.dtype == torch.int64
        assert inputs.shape == targets.shape
        assert inputs.shape[0] == columns
    assert all(batch.inputs.shape[1] == window for batch in windows[:-1])
    assert windows[-1].inputs.shape[1] <= window


def test_every_padded_input_is_a_token_of_the_vocabulary() -> None:
    inputs, targets = read(Windows(make_tokens(8), 1, columns=3, window=2))
    assert (inputs[targets == IGNORED] >= 0).all() and (inputs <= 8).all()


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [
        (0, 4, [True, False, False, False]),
        (2, 2, [True, False]),
        (3, 3, [True, True, False]),  # the text has four windows: the second one here is its first
        (4, 2, [True, False]),
        (7, 6, [True, True, False, False, False, True]),
    ],
)
def test_the_state_is_reset_at_the_first_window_and_where_the_text_starts_again(
    first: int, count: int, expected: list[bool]
) -> None:
    windows = Windows(make_tokens(24), START, columns=3, window=2, first=first, count=count)
    assert [batch.reset_state for batch in windows] == expected
    assert len(windows) == count


# Windows of variable length


VARIABLE = [(length, columns, window) for length in (60, 997, 3000) for columns in (1, 4) for window in (10, 16, 70)]
both_seeds = pytest.mark.parametrize("seed", [0, 1, 7])


@both_seeds
@pytest.mark.parametrize(("length", "columns", "window"), VARIABLE)
def test_windows_of_variable_length_have_every_token_once_and_in_order(
    length: int, columns: int, window: int, seed: int
) -> None:
    tokens = make_tokens(length)
    windows = Windows(tokens, START, columns=columns, window=window, seed=seed)
    assert len(list(windows)) == len(windows) == windows_in(length, columns, window)
    inputs, targets = read(windows)
    assert targets[targets != IGNORED].tolist() == tokens.tolist()
    assert inputs[targets != IGNORED].tolist() == [START, *tokens[:-1].tolist()]
    lengths = [batch.inputs.shape[1] for batch in windows]
    assert all(0 < length < 4 * window for length in lengths)


def lengths_of(seed: int, text_pass: int = 0, *, window: int = 70, count: int = 4000) -> list[int]:
    windows = Windows(
        np.zeros(window * count, np.uint16), START, columns=1, window=window, first=text_pass * count, seed=seed
    )
    return [batch.inputs.shape[1] for batch in windows]


def test_the_lengths_are_distributed_as_those_of_awd_lstm() -> None:
    """The window, half of it in one of twenty cases, and around that a standard deviation of 5."""
    lengths = np.array(lengths_of(1))
    scale = 70 / (0.95 * 70 + 0.05 * 35)  # factor that fills the text
    short = lengths < 54 * scale
    assert short.mean() == pytest.approx(0.05, abs=0.01)
    assert lengths[~short].mean() == pytest.approx(70 * scale, abs=0.3)
    assert lengths[short].mean() == pytest.approx(35 * scale, abs=1.0)
    assert lengths[~short].std() == pytest.approx(5 * scale, rel=0.1)
    assert lengths.mean() == 70


def test_every_pass_and_every_seed_have_other_borders() -> None:
    assert lengths_of(1) == lengths_of(1)
    assert lengths_of(1) != lengths_of(2)
    assert lengths_of(1, text_pass=1) == lengths_of(1, text_pass=1)
    assert lengths_of(1) != lengths_of(1, text_pass=1)


def test_every_epoch_has_other_borders(language_data: Path) -> None:
    options = options_of(4, 16, window_lengths="variable")
    first, second, again = (
        [batch.targets.tolist() for batch in train_batches(language_data, options, seed=1, epoch=epoch)]
        for epoch in (0, 1, 0)
    )
    assert first == again
    assert first != second
    assert len(first) == len(second) == len(train_batches(language_data, options_of(4, 16), seed=1, epoch=0))


def test_epochs_of_some_windows_of_variable_length_follow_each_other(language_data: Path) -> None:
    options = options_of(4, 16, 640, window_lengths="variable")
    whole = options_of(4, 16, window_lengths="variable")
    expected = [batch for epoch in range(2) for batch in train_batches(language_data, whole, seed=1, epoch=epoch)]
    epochs = [list(train_batches(language_data, options, seed=1, epoch=epoch)) for epoch in range(len(expected) // 10)]
    assert {len(epoch) for epoch in epochs} == {10}
    for found, wanted in zip(itertools.chain(*epochs), expected, strict=False):
        assert torch.equal(found.inputs, wanted.inputs) and torch.equal(found.targets, wanted.targets)
    assert all(epoch[0].reset_state for epoch in epochs)  # as with windows of one length


# The batches of a data set


def options_of(columns: int, window: int, epoch_tokens: int | None = None, **options: Any) -> LanguageTrain:
    return LanguageTrain(epochs=1, batch_size=columns, window=window, epoch_tokens=epoch_tokens, **options)


@pytest.mark.parametrize("epoch_tokens", [1, 64, 200, 100_000])
def test_an_epoch_of_some_tokens_continues_the_one_before(language_data: Path, epoch_tokens: int) -> None:
    options = options_of(4, 16, epoch_tokens)
    count = max(1, epoch_tokens // (4 * 16))
    text = list(train_batches(language_data, options_of(4, 16), seed=1, epoch=0))
    for epoch in range(4):
        batches = list(train_batches(language_data, options, seed=1, epoch=epoch))
        assert len(batches) == count
        for number, (inputs, targets, _) in enumerate(batches, start=epoch * count):
            expected = text[number % len(text)]
            assert torch.equal(inputs, expected.inputs) and torch.equal(targets, expected.targets)


def test_epochs_of_some_tokens_read_the_whole_text_and_start_again(language_data: Path) -> None:
    train = prepared.load_array(language_data, "train")
    passed = -(-len(train) // 4 // 16) + 1
    seen: set[tuple[int, ...]] = set()
    for epoch in range(passed):
        for batch in train_batches(language_data, options_of(4, 16, 64), seed=1, epoch=epoch):
            seen.add(tuple(batch.targets.flatten().tolist()))
    whole = {
        tuple(batch.targets.flatten().tolist())
        for batch in train_batches(language_data, options_of(4, 16), seed=1, epoch=0)
    }
    assert seen == whole


def test_an_epoch_without_a_length_is_the_whole_text(language_data: Path) -> None:
    first, again = (train_batches(language_data, options_of(4, 16), seed=1, epoch=epoch) for epoch in (0, 3))
    _, targets = read(first)
    assert targets[targets != IGNORED].tolist() == prepared.load_array(language_data, "train").tolist()
    assert read(again)[1].tolist() == targets.tolist()


def test_the_validation_text_is_read_whole(language_data: Path) -> None:
    _, targets = read(validation_batches(language_data, options_of(4, 16, 64)))
    assert targets[targets != IGNORED].tolist() == prepared.load_array(language_data, "validation").tolist()


def test_the_first_token_is_predicted_from_the_start_token(language_data: Path) -> None:
    batch = next(iter(validation_batches(language_data, options_of(4, 16))))
    assert batch.inputs[0, 0] == prepared.read_facts(language_data, prepared.LanguageFacts).start
    assert batch.reset_state


def test_a_text_shorter_than_one_window_per_column_is_refused(language_data: Path) -> None:
    length = len(prepared.load_array(language_data, "train"))
    assert len(train_batches(language_data, options_of(1, length), seed=1, epoch=0)) == 1
    with pytest.raises(ValueError, match=rf"train\.batch_size 1 x train\.window {length + 1} .* the {length} of"):
        train_batches(language_data, options_of(1, length + 1), seed=1, epoch=0)


def test_the_whole_text_is_one_window(language_data: Path) -> None:
    ((inputs, targets, reset_state),) = whole_text(language_data)
    tokens = prepared.load_array(language_data, "train").tolist()
    assert reset_state
    assert targets.tolist() == [tokens]
    assert inputs.tolist() == [[prepared.read_facts(language_data, prepared.LanguageFacts).start, *tokens[:-1]]]


def test_tokens_are_counted_in_chunks() -> None:
    tokens = np.random.default_rng(0).integers(0, 7, 100).astype(np.uint16)
    assert count_tokens(tokens, 9, chunk=13).tolist() == np.bincount(tokens, minlength=9).tolist()


def test_windows_are_cut_on_the_device_that_has_the_text() -> None:
    windows = Windows(make_tokens(8), START, columns=3, window=2)
    shapes = [batch.inputs.shape for batch in windows]
    moved = list(windows.to(torch.device("meta")))
    assert {part.device.type for batch in moved for part in batch[:2]} == {"meta"}
    assert [batch.targets.shape for batch in moved] == shapes
