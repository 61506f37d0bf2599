"""The section of a classifier's scores, from small hand-made tables."""

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.report import markdown
from cvnlp.report.elements import ConfusionMatrix, Pictures, Section, Stepper
from cvnlp.vision.report import run_section
from make_attacked import write_attacked
from report_contents import columns, figure_names, figure_paths, is_cut_off, tables, texts_of, title, words

CURVE = {"recall": [0.0, 0.5, 0.5, 1.0], "precision": [1.0, 1.0, 0.5, 0.25]}


def write_details(folder: Path, average: list[float], names: list[str] | None = None) -> None:
    """Classes with these average precisions, and one more, called NA, without images."""
    names = [*(names or [f"class {number}" for number in range(len(average))]), "NA"]
    table = pd.DataFrame({"class": names, "f1": 0.5, "average_precision": [*average, None], "images": 4})
    table = table.assign(precision=0.5, recall=0.5)
    table.loc[len(average), "images"] = 0
    files.write_table(folder / "classes.csv", table)
    curves = [pd.DataFrame({"class": name} | CURVE) for name in names[:-1]]
    files.write_table(folder / "curves.csv", pd.concat(curves))
    files.write_table(folder / "confusion.csv", pd.DataFrame(np.eye(len(names), dtype=int), columns=names))
    bins = pd.DataFrame({"images": [4], "confidence": [0.9], "accuracy": [0.8]})
    files.write_table(folder / "calibration.csv", bins)
    files.write_table(folder / "mistakes.csv", pd.DataFrame(columns=["index", "actual", "predicted", "confidence"]))
    predictions = pd.DataFrame({"index": range(4), "actual": names[0], "predicted": [*names[:2], names[0], names[0]]})
    files.write_table(folder / "predictions.csv", predictions.assign(confidence=[0.9, 0.8, 0.7, 0.6]))
    prepared.save_array(folder / "data", "test_images", np.arange(4 * 36, dtype=np.uint8).reshape(4, 6, 6, 1))


def write_mistakes(folder: Path, examples: Path) -> None:
    """Seven misclassified images, and two that an attack changed."""
    rows = {"index": range(7), "actual": "NA", "predicted": "a|b", "confidence": 0.875}
    files.write_table(folder / "mistakes.csv", pd.DataFrame(rows))
    prepared.save_array(folder, "mistakes", np.zeros((7, 6, 6, 1), np.uint8))
    write_attacked(examples, examples=2)


@pytest.mark.parametrize(("classes", "named"), [(2, 2), (10, 10), (11, 8), (59, 8)])
def test_curves_of_the_worst_classes_are_named(
    tmp_path: Path, drawn: dict[str, Figure], classes: int, named: int
) -> None:
    write_details(tmp_path, list(np.linspace(0.5, 0.9, classes)))
    run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    (axis,) = drawn["curves.png"].axes
    assert len(axis.lines) == classes
    shown = [text.get_text() for text in axis.get_legend().get_texts()]
    assert [text.split(":")[0] for text in shown] == [f"class {number}" for number in range(named)]
    assert shown[0] == "class 0: 0.500"


def test_class_without_images_has_an_empty_cell(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, [0.5, 0.7])
    found = run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    table = columns(tables(found)["Scores by class on the test split"])
    assert table["class"] == ["class 0", "class 1", "NA"]
    assert table["F1"] == ["0.500"] * 3
    assert table["average precision"] == ["0.500", "0.700", ""]
    assert table["images"] == ["4", "4", "0"]


@pytest.mark.parametrize(("average", "lowest"), [([1.0, 1.0], 0.9), ([0.99, 1.0], 0.7), ([0.3, 1.0], 0.0)])
def test_axes_show_the_corner_in_which_the_curves_are(
    tmp_path: Path, drawn: dict[str, Figure], average: list[float], lowest: float
) -> None:
    write_details(tmp_path, average)
    run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    (axis,) = drawn["curves.png"].axes
    assert axis.get_xlim()[0] == axis.get_ylim()[0] == pytest.approx(lowest)


def test_run_without_mistakes_and_attacks_has_no_figures_of_them(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, [0.5, 0.7])
    found = run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    assert figure_names(found) == list(drawn) == ["confusion.png", "calibration.png", "curves.png"]


def test_mistakes_and_adversarial_examples_are_titled_with_their_classes(
    tmp_path: Path, drawn: dict[str, Figure]
) -> None:
    write_details(tmp_path, [0.5, 0.7])
    write_mistakes(tmp_path, tmp_path / "examples")
    found = run_section(tmp_path, tmp_path / "examples", tmp_path / "out", data=tmp_path / "data")
    assert figure_names(found)[-3:] == ["mistakes.png", "adversarial_examples.png", "loss_surface.png"]
    assert texts_of(drawn["mistakes.png"])[0].get_text() == "NA → a|b (88%)"
    titles = [text.get_text() for text in texts_of(drawn["adversarial_examples.png"])]
    assert [titles[place] for place in (0, 4)] == ["predicted: 1,\n99%", "predicted: 7,\n51%"]
    (examples,) = (one for one in found if getattr(one, "title", "").startswith("Adversarial examples"))
    assert isinstance(examples, Pictures)
    original, perturbation, perturbed = (row[0].pixels for _, row in examples.rows)
    assert (original == 128).all() and (perturbed == 140).all()
    assert (perturbation == 255).all()  # the largest change, on a scale from -0.05 to 0.05
    assert "eps 0.1" in words(found) and "white +0.05" in words(found)


def test_cells_of_the_confusion_matrix_have_pictures(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    """Mistakes by falling confidence, correct predictions by rising confidence, each with the image of its row."""
    write_details(tmp_path, [0.5, 0.7])
    found = run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    (matrix,) = [element for element in found if isinstance(element, ConfusionMatrix)]
    assert matrix.classes == ("class 0", "class 1", "NA")
    assert list(matrix.pictures) == [(0, 0), (0, 1)]
    assert [picture.title for picture in matrix.pictures[0, 0]] == ["60%", "70%", "90%"]
    assert [picture.pixels[0, 0, 0] for picture in matrix.pictures[0, 0]] == [108, 72, 0]
    assert matrix.pictures[0, 1][0].pixels[0, 0, 0] == 36


def test_a_slider_shows_the_same_images_at_every_eps(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, [0.5, 0.7])
    write_mistakes(tmp_path, tmp_path / "examples")
    found = run_section(tmp_path, tmp_path / "examples", tmp_path / "out", data=tmp_path / "data")
    (stepper,) = [element for element in found if isinstance(element, Stepper)]
    assert list(stepper.steps) == ["0", "0.1"]
    (gallery,) = stepper.steps["0.1"]
    assert isinstance(gallery, Pictures)
    (_, changes), (_, attacked) = gallery.rows
    assert [picture.title for picture in attacked] == ["1 → 7 (51%)"] * 2
    assert attacked[0].pixels[0, 0, 0] == round(0.55 * 255)
    assert (changes[0].pixels[0, 0] != 255).any()


def test_figures_have_titles_and_axis_labels_and_nothing_is_cut_off(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, [0.5, 0.7])
    write_mistakes(tmp_path, tmp_path / "examples")
    found = run_section(tmp_path, tmp_path / "examples", tmp_path / "out", data=tmp_path / "data")
    assert figure_paths(found) == [tmp_path / "out" / name for name in drawn]
    for name, figure in drawn.items():
        assert title(figure), name
        assert not is_cut_off(figure), name
    for name in ("calibration.png", "curves.png"):
        (axis,) = drawn[name].axes
        assert axis.get_xlabel() and axis.get_ylabel()
    assert {"true class", "predicted class"} <= {text.get_text() for text in texts_of(drawn["confusion.png"])}


AWKWARD = [
    "$x^{$",
    "a|b",
    "1.50",
    "1e5",
    "W" * 200,
    "\N{FOX FACE}",
    "nan",
    "None",
    "true",
    "a\\b",
    "<b>",
    "`c`",
    "d\ne",
    "_f",
]


def test_names_of_classes_are_shown_as_they_are(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, [0.5] * len(AWKWARD), AWKWARD)
    found = run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    assert columns(tables(found)["Scores by class on the test split"])["class"] == [*AWKWARD, "NA"]
    scores = [element for element in found if getattr(element, "title", "").startswith("Scores by class")]
    written = markdown.render(Section("Top", tuple(scores)), tmp_path)
    parsed = MarkdownIt("commonmark").enable("table").parse(written)
    cells = [cell.children or [] for cell, end in pairwise(parsed) if end.type == "td_close"]
    shown = ["".join(part.content for part in cell) for cell in cells]
    assert shown[:: len(cells) // (len(AWKWARD) + 1)] == [" ".join(name.split()) for name in [*AWKWARD, "NA"]]


@pytest.mark.parametrize("names", [AWKWARD, ["W" * 200, "M" * 199]])
def test_long_names_leave_room_for_the_figure(tmp_path: Path, drawn: dict[str, Figure], names: list[str]) -> None:
    write_details(tmp_path, [0.5] * len(names), names)
    run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not is_cut_off(drawn["confusion.png"])
        assert not is_cut_off(drawn["curves.png"])


def test_confusion_matrix_of_many_classes_is_a_sentence_and_the_table_is_cut(
    tmp_path: Path, drawn: dict[str, Figure]
) -> None:
    write_details(tmp_path, [0.5] * 150)
    found = run_section(tmp_path, write_attacked(tmp_path / "none"), tmp_path / "out", data=tmp_path / "data")
    assert "confusion.png" not in {*drawn, *figure_names(found)}
    assert "The confusion matrix of 151 classes is not drawn" in words(found)
    table = tables(found)["Scores by class on the test split"]
    assert len(table.rows) == 100
    assert "The 100 of 151 classes with the lowest F1" in table.caption
