"""The convolution laboratory as a section of the report, from the arrays of the laboratory itself."""

from pathlib import Path

import numpy as np
import pytest

from cvnlp import files
from cvnlp.vision.insight.laboratory import save_laboratory
from cvnlp.vision.report.convolution import draw_laboratory

SHARING = ("places", "gradient_difference", "parameters_shared", "parameters_unshared", "parameters_fully_connected")


@pytest.mark.parametrize("channels", [1, 3])
def test_section_links_to_its_figures_and_states_the_numbers(tmp_path: Path, channels: int) -> None:
    picture = np.random.default_rng(0).random((12, 10, channels))
    numbers = save_laboratory(picture, dict.fromkeys(SHARING, 7.0), tmp_path / "in")
    assert files.read_json(tmp_path / "in/numbers.json") == numbers
    text = "\n".join(draw_laboratory(tmp_path / "in", tmp_path / "out"))
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn == {"convolution_worked.png", "convolution_filters.png"}
    assert all(f"{{folder}}/{name}" in text for name in drawn)
    assert "10 products a pixel instead of 25" in text


def test_worked_example_is_saved_as_it_is_known(tmp_path: Path) -> None:
    save_laboratory(np.zeros((8, 8, 1)), {}, tmp_path)
    worked = np.load(tmp_path / "worked_map.npy")
    np.testing.assert_allclose(worked[0], [0, 1.8, -0.5, 0.5, -1.5], atol=1e-12)
    np.testing.assert_allclose(np.load(tmp_path / "worked_answers.npy").sum(0), [0, 6, 4, 5, -1, -1, -1, 0], atol=1e-12)
