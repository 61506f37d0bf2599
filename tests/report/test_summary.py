"""The summary's table of runs: raised flags have their names."""

from pathlib import Path

import pytest

from cvnlp.params.runs import LanguageRun
from cvnlp.paths import ProjectPaths
from cvnlp.report import summary
from cvnlp.report.results import RunResults

BLOCK = {"domain": "language", "dataset": "plays", "seed": 1, "model": {"name": "rnn"}, "train": {"epochs": 1}}


@pytest.mark.parametrize(
    ("attacks", "shown"),
    [
        ({"flag_randomised_output": 1.0, "flag_larger_share_weaker": 0.0, "flags_raised": 1.0}, "randomised output"),
        ({"flag_worst_below_random": 1.0, "flag_randomised_output": 1.0}, "worst below random, randomised output"),
        ({"flag_randomised_output": 0.0, "flags_raised": 0.0}, "none"),
        ({"perplexity_clean": 5.0}, ""),
    ],
)
def test_raised_flags_are_named(attacks: dict[str, float], shown: str, tmp_path: Path) -> None:
    block = LanguageRun.model_validate(BLOCK | {"evaluate": {}, "attack": {"shares": [0.1]}, "insight": {}})
    run = RunResults("rnn", block, ProjectPaths(tmp_path).run("rnn", "plays"))
    vars(run)["attacks"] = attacks
    assert summary._flags(run) == shown
