"""The steps of docs/architecture.md that add a model, an attack, a figure and a data set, followed in a copy."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloning import ROOT
from fork_server import start_fork_server

DOCUMENT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def blocks(title: str) -> list[str]:
    """The fenced blocks of a section, without their indentation in a list."""
    section = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"^( *)```(?:python|yaml)\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def insert(path: Path, before: str, text: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1, before
    path.write_text(content.replace(before, text + before), encoding="utf-8")


def stage(folder: Path, name: str, *arguments: str) -> None:
    """Run one stage of the copy."""
    python(folder, "-m", f"cvnlp.stages.{name}", *arguments)


def python(folder: Path, *arguments: str) -> None:
    """Run Python on the code of the copy."""
    command = [sys.executable, *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Path]:
    """A copy of the project in which the steps were followed, and a server from which its stages are forked."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(empty_database, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    options, network, line, run = blocks("Add a model")
    package = folder / "src/cvnlp"
    insert(package / "params/vision_networks.py", "VisionNetwork = Annotated[", f"{options}\n\n")
    insert(package / "params/vision_networks.py", ",\n    Field(discriminator=", "\n    | QuadraticOptions")
    (package / "vision/models/quadratic.py").write_text(network, encoding="utf-8")
    insert(package / "vision/models/__init__.py", '    "rules": Rules,\n', textwrap.indent(line, "    "))
    imported = "from cvnlp.vision.models.quadratic import Quadratic\n"
    insert(package / "vision/models/__init__.py", "from cvnlp.vision.models.rules import Rules\n", imported)
    options, field, attack, line, curve = blocks("Add an attack")
    insert(package / "params/attacks.py", "class AttackTable(Strict):", f"{options}\n\n")
    insert(package / "params/attacks.py", "    random: RandomOptions | None", textwrap.indent(field, "    "))
    (package / "vision/attacks/darken.py").write_text(attack, encoding="utf-8")
    imported = "from cvnlp.vision.attacks.darken import darken\n"
    insert(package / "vision/attacks/table.py", "from cvnlp.vision.attacks.gradient", imported)
    insert(package / "vision/attacks/table.py", '    "random": AttackEntry', textwrap.indent(line, "    "))
    insert(package / "vision/report/run.py", '"random": ("', curve.rstrip() + " ")
    function, call = blocks("Add a figure")
    insert(package / "vision/report/run.py", "def _calibration(", f"{function}\n\n")
    insert(package / "vision/report/run.py", "        *_misclassified(details", textwrap.indent(call, " " * 8))
    entry, reader, line, block = blocks("Add a published data set")
    insert(package / "catalogue/vision.py", '    "mnist": Source(', textwrap.indent(entry, "    "))
    insert(package / "vision/data/published.py", "READERS: dict", f"{reader}\n\n")
    insert(package / "vision/data/published.py", '    "mnist": read_mnist', textwrap.indent(line, "    "))
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(f"{params}\n{run}", encoding="utf-8")
    insert(folder / "params.yaml", "\nown: {}\n", f"\n{block}")
    with start_fork_server(folder / "src") as server, pytest.MonkeyPatch.context() as patch:
        for variable, place in (server.environment() if server else {}).items():
            patch.setenv(variable, place)
        yield folder


def test_the_new_model_is_trained_scored_and_attacked(project: Path) -> None:
    stage(project, "prepare", "--dataset", "mnist_sample")
    for name in ("train", "evaluate", "attack"):
        stage(project, name, "--run", "quadratic")
    scores = json.loads((project / "reports/scores/quadratic.json").read_text(encoding="utf-8"))
    assert scores["accuracy"] > 0.8
    attacked = json.loads((project / "reports/attacks/quadratic.json").read_text(encoding="utf-8"))
    assert attacked["accuracy_pgd_0.1"] < attacked["accuracy_darken_0.1"] <= 1
    assert json.loads((project / "data/models/quadratic/config.json").read_text())["options"] == {"dropout": 0.1}


def test_the_new_data_set_is_prepared(project: Path) -> None:
    stage(project, "prepare", "--dataset", "small_digits")
    facts = json.loads((project / "data/prepared/small_digits/facts.json").read_text(encoding="utf-8"))
    assert facts["shape"] == [8, 8, 1]
    assert sum(facts["counts"]["train"].values()) == 1_197


DRAW = """
from pathlib import Path
from cvnlp.vision.report import ROBUSTNESS, run_section
places = Path("data/evaluations/quadratic"), Path("data/attacks/quadratic"), Path("figures")
elements = run_section(*places, data=Path("data/prepared/mnist_sample"))
assert "darken" in ROBUSTNESS.attacks
assert "Confidence" in [getattr(element, "title", "") for element in elements]
"""


def test_the_new_figure_is_drawn(project: Path) -> None:
    python(project, "-c", DRAW)
    assert (project / "figures/confidence.png").is_file()
