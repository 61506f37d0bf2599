"""Classifiers of a data set under attack, next to each other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.vision.report import robustness_section
from cvnlp.vision.report.robust_comparison import transfer_sentence
from report_contents import figure_names, is_cut_off, words

BLOCK = {
    "domain": "vision",
    "dataset": "digits",
    "seed": 1,
    "model": {"name": "cnn"},
    "train": {"epochs": 1},
    "evaluate": {},
    "attack": {"eps": [0.1]},
    "insight": {},
}


def gains(**shares: float) -> pd.DataFrame:
    return pd.DataFrame({"target": list(shares), "broken_by_transfer_alone": list(shares.values())})


@pytest.mark.parametrize("shares", [{"cnn": 0.0, "mlp": 0.01}, {"cnn": 0.02, "mlp": 0.0}, {"cnn": 0.5, "mlp": 0.3}])
def test_the_sentence_names_exactly_the_networks_whose_own_attack_is_too_weak(shares: dict[str, float]) -> None:
    sentence = transfer_sentence(gains(**shares))
    for name, share in shares.items():
        assert (f"{name} ({share:.1%})" in sentence) == (share > 0.01)
    assert ("No network" in sentence) == all(share <= 0.01 for share in shares.values())


def test_figures_compare_the_runs_of_a_data_set(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    project = ProjectPaths(tmp_path)
    plain = VisionRun.model_validate(BLOCK)
    defence = {"train": {"epochs": 1, "adversarial": {"method": "fast", "eps": 0.1}}}
    blocks = {"plain": plain, "robust": VisionRun.model_validate(BLOCK | defence)}
    runs = {name: project.run(name, "digits") for name in blocks}
    for run in runs.values():
        prepared.save_array(run.attacked, "smallest_eps", np.array([0.0, 0.05, np.inf]))
        prepared.save_array(run.insight, "filters", np.ones((2, 4, 3, 3, 1)))
        prepared.save_array(run.insight, "attributions", np.ones((3, 6, 6)))
        prepared.save_array(run.insight, "attributed_images", np.ones((3, 6, 6, 1), dtype=np.float32))
    pairs = [(one, other) for one in runs for other in runs]
    table = pd.DataFrame(pairs, columns=["source", "target"]).assign(dataset="digits", eps=0.1, accuracy=0.5)
    files.write_table(project.transfer, table)
    files.write_table(project.transfer_gains, gains(plain=0.0, robust=0.1).assign(dataset="digits"))
    found = robustness_section(runs, blocks, tmp_path / "out")
    assert figure_names(found) == [
        "smallest-eps-digits.png",
        "transfer-digits.png",
        "filters-plain-robust.png",
        "attributions-plain-robust.png",
    ]
    assert "robust (10.0%)" in words(found)
    (line, _) = drawn["smallest-eps-digits.png"].axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([0, 1 / 3, 2 / 3])
    assert not any(is_cut_off(figure) for figure in drawn.values())


def test_without_results_nothing_is_shown(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    run = ProjectPaths(tmp_path).run("plain", "digits")
    assert robustness_section({"plain": run}, {"plain": VisionRun.model_validate(BLOCK)}, tmp_path / "out") == []
