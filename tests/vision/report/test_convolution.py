"""The worked examples of convolution as a section of the report, from the arrays that `insight` writes."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.vision.insight.convolution_demo import save_demo
from cvnlp.vision.report.convolution import convolution_section
from report_contents import figure_names, is_cut_off, numbers, texts_of, title

SHARING = ("positions", "gradient_difference", "parameters_shared", "parameters_unshared", "parameters_fully_connected")


@pytest.mark.parametrize("channels", [1, 3])
def test_section_has_its_figures_and_the_numbers(tmp_path: Path, channels: int, drawn: dict[str, Figure]) -> None:
    picture = np.random.default_rng(0).random((12, 10, channels))
    written = save_demo(picture, dict.fromkeys(SHARING, 7.0), tmp_path / "in")
    assert files.read_json(tmp_path / "in/numbers.json") == written
    section = convolution_section(tmp_path / "in", tmp_path / "out")
    assert figure_names([section]) == list(drawn) == ["convolution_worked.png", "convolution_filters.png"]
    found = numbers([section])
    assert found["Gaussian blur in two passes"] == "10 products per pixel"
    assert found["Gaussian blur in one pass"] == "25 products per pixel"
    assert found["unshared copies of a filter"] == "7"
    titles = [text.get_text() for text in texts_of(drawn["convolution_filters.png"])]
    assert ("redness" in titles) == (channels == 3)
    assert all(title(figure) and not is_cut_off(figure) for figure in drawn.values())


def test_worked_example_is_the_known_one(tmp_path: Path) -> None:
    save_demo(np.zeros((8, 8, 1)), {}, tmp_path)
    worked = np.load(tmp_path / "worked_map.npy")
    np.testing.assert_allclose(worked[0], [0, 1.8, -0.5, 0.5, -1.5], atol=1e-12)
    np.testing.assert_allclose(
        np.load(tmp_path / "worked_responses.npy").sum(0), [0, 6, 4, 5, -1, -1, -1, 0], atol=1e-12
    )
