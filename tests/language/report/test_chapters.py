"""Chapters on language modelling: shares of gradients are those of the runs."""

from pathlib import Path

from cvnlp.language.report.chapters import memory
from cvnlp.params.runs import LanguageRun
from cvnlp.paths import ProjectPaths
from cvnlp.report.results import RunResults
from report_contents import results, words


def test_long_term_dependencies_state_the_gradient_of_every_run(tmp_path: Path) -> None:
    block = {"domain": "language", "dataset": "plays", "seed": 1, "model": {"name": "rnn"}, "train": {"epochs": 1}}
    block |= {"evaluate": {}, "attack": {"shares": [0.1]}, "insight": {}}
    runs = []
    for name, share in {"short": 0.00002, "long": 0.25}.items():
        one = RunResults(name, LanguageRun.model_validate(block), ProjectPaths(tmp_path).run(name, "plays"))
        vars(one)["insights"] = {"gradient_20": share}
        runs.append(one)
    said = words([memory.long_term(results(tmp_path, *runs))])
    assert "less than 0.1% in short and 25.0% in long" in said
