"""What adapting to a text saved, as a figure and a sentence; nothing where it was not asked for."""

from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.language.report.adaptation import draw_adaptation

FOUND = {
    "tokens": 120,
    "methods": {
        "dynamic": {"settings": {"lr": 5e-05, "decay": 0.002, "window": 5}, "saved": [0.0, 0.1, 0.3]},
        "cache": {"settings": {"size": 500, "sharpness": 0.3, "share": 0.1}, "saved": [-0.1, 0.2, 0.2]},
    },
}


def test_a_model_that_did_not_adapt_has_no_section(tmp_path: Path, drawn: dict[str, Any]) -> None:
    assert draw_adaptation(tmp_path, tmp_path / "figures") == []
    assert drawn == {}


def test_the_section_names_settings_and_links_the_figure(tmp_path: Path, drawn: dict[str, Any]) -> None:
    files.write_json(tmp_path / "adapted.json", FOUND)
    text = "\n".join(draw_adaptation(tmp_path, tmp_path / "figures"))
    assert "dynamic evaluation with decay 0.002, lr 5e-05, window 5" in text
    assert "continuous cache with share 0.1, sharpness 0.3, size 500" in text
    assert "{folder}/adaptation.png" in text and list(drawn) == ["adaptation.png"]


def test_every_piece_of_the_text_has_its_step(tmp_path: Path, drawn: dict[str, Any]) -> None:
    files.write_json(tmp_path / "adapted.json", FOUND)
    draw_adaptation(tmp_path, tmp_path / "figures")
    (axis,) = drawn["adaptation.png"].axes
    steps = {patch.get_label(): patch.get_data() for patch in axis.patches}
    assert set(steps) == {"dynamic evaluation", "continuous cache"}
    for title, name in (("dynamic evaluation", "dynamic"), ("continuous cache", "cache")):
        assert steps[title].values.tolist() == FOUND["methods"][name]["saved"]
        assert np.array_equal(steps[title].edges, [0, 40, 80, 120])
