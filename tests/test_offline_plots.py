"""`dvc plots show` writes a page that draws its charts without internet."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer

from cloning import ROOT, Clone, clone_project
from cvnlp import files

PAGE = (ROOT / ".dvc/offline_plots.html").read_text(encoding="utf-8")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_the_libraries_are_those_of_dvc() -> None:
    needed = re.findall(r"npm/([\w-]+@[\d.]+)", VegaRenderer.SCRIPTS)
    assert re.findall(r"<!-- ([\w-]+@[\d.]+) -->", PAGE) == needed


def test_the_page_loads_nothing() -> None:
    own = re.sub(r"<script>.*?</script>", "", PAGE, flags=re.DOTALL)
    assert not re.search(r"(src|href)=", own)
    assert PAGE.count("<script") == PAGE.count("<script>") == 3


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_learning_and_robustness_curves_are_drawn_without_a_network(tmp_path: Path) -> None:
    clone: Clone = clone_project(tmp_path)
    files.write_text(clone.folder / "reports/history/mlp.csv", "epoch,validation_nll\n0,1.5\n1,1.25\n2,1.125\n")
    files.write_text(clone.folder / "reports/attacks/mlp.csv", "method,eps,accuracy\nfgsm,0.1,0.5\npgd,0.1,0.25\n")
    clone("dvc", "plots", "show")
    page = clone.folder / "dvc_plots/index.html"
    assert "size of the perturbation (eps)" in page.read_text(encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    blocked = "--host-resolver-rules=MAP * ~NOTFOUND"
    drawn = subprocess.run(
        [str(BROWSER), *options, blocked, page.as_uri()], capture_output=True, text=True, check=True
    ).stdout
    assert len(re.findall(r"<canvas width=\"[1-9]\d*\"[^>]*marks", drawn)) == 2  # the others have no data
