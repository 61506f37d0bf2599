"""`make bench`: what it compares does the same amount of work, with today's options of the pipeline."""

from functools import partial
from pathlib import Path

import preparing
import pytest
import speed

from cvnlp.data import prepared

IMAGES = 300  # of the training split


def test_loading_is_compared_on_the_same_images(vision_data: Path, tmp_path: Path) -> None:
    assert speed.load_images(vision_data) == speed.FolderOfImages(vision_data, tmp_path).load() == IMAGES


def test_loading_is_compared_on_almost_the_same_tokens(language_data: Path) -> None:
    ours, baseline = speed.load_text(language_data), speed.load_window_by_window(language_data)
    assert ours > 0
    assert abs(ours - baseline) < 32 * speed.WINDOW


def test_trainings_see_the_same_images(vision_data: Path) -> None:
    trainings = (speed.train_with_the_pipeline, speed.train_in_a_loop)
    assert [train(vision_data) for train in trainings] == [speed.EPOCHS * IMAGES] * 2


def test_the_faster_of_two_has_a_ratio_above_one(capsys: pytest.CaptureFixture[str]) -> None:
    ratio = speed.compare("counting", partial(count, 1000), partial(count, 1000, repeats=200), "steps", rounds=3)
    assert ratio > 1
    assert f"{ratio:.2f} times as fast" in capsys.readouterr().out


def test_different_amounts_of_work_are_not_compared() -> None:
    with pytest.raises(ValueError, match="counting: 1000 steps against 900 steps are not the same work"):
        speed.compare("counting", partial(count, 1000), partial(count, 900), "steps")


def count(steps: int, *, repeats: int = 1) -> int:
    for _ in range(repeats):
        total = sum(1 for _ in range(steps))
    return total


def test_images_are_prepared_in_a_process_whose_memory_is_measured(vision_data: Path, tmp_path: Path) -> None:
    preparing.write_images(vision_data, tmp_path / "images", 500)
    seconds, peak = preparing.prepare(tmp_path / "images", tmp_path / "prepared")
    facts = prepared.read_facts(tmp_path / "prepared", prepared.VisionFacts)
    assert sum(facts.sizes.values()) == 500
    assert not any(facts.duplicates.within.values())
    assert preparing.decode_in_a_loop(tmp_path / "images") > 0
    assert seconds > 0
    assert peak > 10 * 2**20
