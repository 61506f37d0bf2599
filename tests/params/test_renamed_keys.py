"""A former key is refused with today's."""

from pathlib import Path
from typing import Any

import pytest

from cvnlp.params.explanation import RENAMED
from params_file import check_refusal

PLACES = {
    "attack": "runs.first.attack",
    "cache": "runs.second.evaluate.cache",
    "insight": "runs.first.insight",
    "model": "runs.first.model",
}
FORMER = [(PLACES[block], old, new) for block, keys in RENAMED.items() for old, new in keys.items() if old != "tracked"]


@pytest.mark.parametrize(("place", "old", "new"), [*FORMER, ("runs.second.insight", "tracked", "state_tokens")])
def test_a_former_key_is_refused_with_todays(place: str, old: str, new: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"runs.first.model.name": "resnet", "runs.second.evaluate.cache": {}, f"{place}.{old}": 1}
    check_refusal(tmp_path, changes, [f"{place}.{old}: unknown key; renamed to {new}"])


def test_a_former_key_in_another_block_is_simply_unknown(tmp_path: Path) -> None:
    check_refusal(
        tmp_path, {"runs.first.train.flips": 6}, ["train.flips: unknown key; valid keys: adversarial, augment"]
    )
