"""The section of a language model's scores: losses, adaptation, generated and attacked texts, from small files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language.report import run_section
from cvnlp.report.elements import Element
from report_contents import figure_names, is_cut_off, numbers, samples, texts, title

EXCERPT = {"tokens": list("To be.\nOr"), "nats": [1.5] * 9, "token_kind": "characters", "line_end": "\n"}
ADAPTED = {
    "tokens": 120,
    "methods": {
        "dynamic": {"settings": {"lr": 5e-05, "decay": 0.002, "window": 5}, "saved": [0.0, 0.1, 0.3]},
        "cache": {"settings": {"size": 500, "sharpness": 0.3, "share": 0.1}, "saved": [-0.1, 0.2, 0.2]},
    },
}


@pytest.fixture
def section(tmp_path: Path, drawn: dict[str, Figure]) -> Any:
    """Elements of a run with these attacked texts and files of details."""

    def build(attacked: dict[str, str], **details: Any) -> list[Element]:
        files.write_json(tmp_path / "details/samples.json", {"temperature": 0.8, "texts": ["To ```be```.\n", "| *"]})
        files.write_json(tmp_path / "details/excerpt.json", EXCERPT)
        for name, value in details.items():
            files.write_json(tmp_path / "details" / f"{name}.json", value)
        for name, text in {"clean": "to be", "share": np.array(0.1), **attacked}.items():
            prepared.save_array(tmp_path / "examples", name, np.array(text))
        return run_section(tmp_path / "details", tmp_path / "examples", tmp_path / "out", data=tmp_path)

    return build


def test_a_model_that_did_not_adapt_has_no_figure_of_it(section: Any, drawn: dict[str, Figure]) -> None:
    assert figure_names(section({})) == list(drawn) == []


def test_adaptation_has_a_figure_and_its_settings(section: Any, drawn: dict[str, Figure]) -> None:
    found = section({}, adapted=ADAPTED)
    assert figure_names(found) == list(drawn) == ["adaptation.png"]
    settings = numbers(found)
    assert settings["dynamic evaluation, lr"] == "5e-05" and settings["dynamic evaluation, window"] == "5"
    assert settings["continuous cache, sharpness"] == "0.3" and settings["continuous cache, size"] == "500"


def test_every_piece_of_the_text_has_its_step(section: Any, drawn: dict[str, Figure]) -> None:
    section({}, adapted=ADAPTED)
    (axis,) = drawn["adaptation.png"].axes
    steps = {patch.get_label(): patch.get_data() for patch in axis.patches}
    assert set(steps) == {"dynamic evaluation", "continuous cache"}
    for label, name in (("dynamic evaluation", "dynamic"), ("continuous cache", "cache")):
        assert steps[label].values.tolist() == ADAPTED["methods"][name]["saved"]
        assert np.array_equal(steps[label].edges, [0, 40, 80, 120])


def test_generated_texts_are_shown_verbatim_with_their_temperature(section: Any) -> None:
    generated = [sample for sample in samples(section({})) if sample.heading.startswith("Generated")]
    assert [sample.text for sample in generated] == ["To ```be```.\n", "| *"]
    assert {sample.details for sample in generated} == {(("temperature", "0.8"),)}


def test_attacked_texts_follow_the_original_with_the_labels_of_the_attacks(section: Any) -> None:
    found = section({"hotflip": "to bx", "swap": "ot be", "random": "tx be"})
    attacked = {sample.heading: sample.text for sample in samples(found) if sample.heading.startswith("Test")}
    assert list(attacked.values()) == ["to be", "tx be", "ot be", "to bx"]
    assert "HotFlip" in list(attacked)[-1]
    assert not any("HotFlip" in text for text in texts(found))


def test_a_sentence_explains_a_missing_hotflip(section: Any) -> None:
    assert any("HotFlip needs the gradient" in text for text in texts(section({"random": "tx be"})))


def test_figures_have_titles_and_nothing_is_cut_off(section: Any, drawn: dict[str, Figure]) -> None:
    section({}, adapted=ADAPTED)
    assert all(title(figure) and not is_cut_off(figure) for figure in drawn.values())
