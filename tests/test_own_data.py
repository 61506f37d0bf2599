"""A user's own pictures and text, as docs/own.md describes: its blocks, its commands, on made folders."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from cloning import ROOT, YAML_FILE, Clone, clone_project
from cvnlp import files
from fork_server import ForkServer

OWN = (ROOT / "docs/own.md").read_text(encoding="utf-8")
WORDS = ("dear", "friend", "the", "garden", "is", "green", "and", "rain", "falls", "on", "roses", "today")


def section(title: str) -> str:
    return OWN.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title: str, kind: str) -> list[str]:
    """The fenced blocks of a section, as a user would copy them."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", section(title), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands(title: str) -> list[list[str]]:
    return [line.split("#")[0].split() for block in blocks(title, "sh") for line in block.splitlines()]


def make_flowers(clone: Clone) -> None:
    """Sixty pictures of two classes, of many sizes and kinds, and one file that is none."""
    generator = np.random.default_rng(0)
    folder = clone.folder / "data/own/flowers"
    for number in range(60):
        name = ("daisy", "Rose mit Ä")[number % 2]
        height, width = generator.integers(40, 120, 2)
        pixels = generator.integers(0, 100, (height, width, 3), dtype=np.uint8)
        pixels[: height // 2, :, number % 2] += 150
        path = folder / name / ("nested" if number % 3 else ".") / f"IMG {number:04d}.{'jpg' if number % 5 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def is_colourful(path: Path) -> bool:
    """Not grey: some pixel's red differs from its blue."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return bool((pixels[..., 0] != pixels[..., 2]).any())


def make_letters(clone: Clone) -> None:
    generator = np.random.default_rng(0)
    folder = clone.folder / "data/own/letters"
    folder.mkdir(parents=True)
    for number in range(12):
        lines = [" ".join(generator.choice(WORDS, 8)) + "." for _ in range(40)]
        (folder / f"letter {number}.txt").write_text("\n".join(lines), encoding="utf-8")


def follow(clone: Clone, title: str) -> dict[str, str]:
    """Put the section's blocks where it says, run its commands; command -> output."""
    path = clone.folder / "params.yaml"
    text = path.read_text(encoding="utf-8")
    own, run = blocks(title, "yaml")
    assert "\nown: {}\n" in text
    path.write_text(text.replace("\nown: {}\n", f"\n{own}\n") + f"\n{run}", encoding="utf-8")
    return {" ".join(command): clone(*command) for command in commands(title) if command != ["dvc", "repro"]}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None, empty_database: Path) -> Clone:
    clone = clone_project(tmp_path_factory.mktemp("pictures"), fork_server)
    shutil.copy(empty_database, clone.folder)
    make_flowers(clone)
    clone.output = follow(clone, "Your own images")
    params = YAML_FILE.load(clone.folder / "params.yaml")
    clone.change("datasets", value={})  # the other runs have served: DVC reads their stages at every command
    clone.change("runs", value={"flowers_cnn": params["runs"]["flowers_cnn"]})
    clone.repro("prepare_own@flowers")
    return clone


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None, empty_database: Path) -> Clone:
    clone = clone_project(tmp_path_factory.mktemp("text"), fork_server)
    shutil.copy(empty_database, clone.folder)
    make_letters(clone)
    clone.output = follow(clone, "Your own text")
    return clone


def test_pictures_are_prepared_trained_and_scored(pictures: Clone) -> None:
    ran = re.findall(r"Running stage '(.+?)'", pictures.output["dvc repro evaluate@flowers_cnn"])
    assert ran == ["check", "prepare_own@flowers", "train@flowers_cnn", "evaluate@flowers_cnn"]
    facts = files.read_json(pictures.folder / "data/prepared/flowers/facts.json")
    assert facts["shape"] == [64, 64, 3]
    assert facts["classes"] == ["Rose mit Ä", "daisy"]
    assert facts["counts"]["test"] == {"Rose mit Ä": 4, "daisy": 4}  # 15 % of 30, rounded
    assert files.read_scores(pictures.folder / "reports/scores/flowers_cnn.json")["images"] == 8
    assert "flowers_cnn" in pictures.output["dvc metrics show --precision 3 reports/scores"]


@pytest.mark.parametrize("folder", [".", "mlflow", "__pycache__", "raw"])
def test_nothing_is_prepared_again_until_a_picture_comes_or_goes(pictures: Clone, folder: str) -> None:
    stage = "prepare_own@flowers"
    assert pictures.repro(stage) == []
    added = pictures.folder / "data/own/flowers/daisy" / folder / "new.png"
    added.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (50, 50), "yellow").save(added)
    assert pictures.repro(stage) == [stage]
    assert files.read_json(pictures.folder / "data/prepared/flowers/facts.json")["read"] == 61
    added.unlink()
    assert pictures.repro(stage) == []  # the data of the folder as it was comes from DVC's cache
    assert files.read_json(pictures.folder / "data/prepared/flowers/facts.json")["read"] == 60


def test_no_part_of_a_path_is_run_by_a_shell(pictures: Clone) -> None:
    name = """today's "flowers" ${own} $(touch made)"""
    params = pictures.folder / "params.yaml"
    before = params.read_text(encoding="utf-8")
    (pictures.folder / "data/own/flowers").rename(pictures.folder / "data/own" / name)
    pictures.change("own", "flowers", "path", value=f"data/own/{name}")
    assert pictures.repro("prepare_own@flowers") == ["check", "prepare_own@flowers"]
    assert files.read_json(pictures.folder / "data/prepared/flowers/facts.json")["read"] == 60
    assert not list(pictures.folder.rglob("made"))
    (pictures.folder / "data/own" / name).rename(pictures.folder / "data/own/flowers")
    params.write_text(before, encoding="utf-8")
    assert pictures.repro("prepare_own@flowers") == []


def test_unusable_file_is_listed_or_stops_the_stage(pictures: Clone) -> None:
    stray = pictures.folder / "data/own/flowers/daisy/notes.txt"
    stray.write_text("not a picture")
    said = pictures("dvc", "repro", "prepare_own@flowers", check=False)
    assert "1 of 61 files" in said
    assert "notes.txt" in said
    params = pictures.folder / "params.yaml"
    before = params.read_text(encoding="utf-8")
    pictures.change("own", "flowers", "max_skipped", value=0.05)
    assert pictures.repro("prepare_own@flowers") == ["check", "prepare_own@flowers"]
    with (pictures.folder / "data/prepared/flowers/skipped.csv").open(encoding="utf-8", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["daisy/notes.txt"]
    stray.unlink()
    params.write_text(before, encoding="utf-8")


def test_attack_that_changes_no_answer_has_nothing_to_show(pictures: Clone) -> None:
    assert pictures.repro("attack@flowers_cnn") == ["attack@flowers_cnn"]
    assert files.read_json(pictures.folder / "reports/attacks/flowers_cnn.json")["accuracy_worst_case_0.02"] == 1.0
    assert not (pictures.folder / "data/attacks/flowers_cnn/examples.csv").exists()


def test_coloured_pictures_go_through_the_rest_of_the_pipeline(pictures: Clone) -> None:
    pictures.change("runs", "flowers_cnn", "attack", "eps", value=[0.5])
    pictures.change("runs", "flowers_cnn", "insight", value={"gradient_images": 2, "attribution_images": 4})
    stages = ["attack@flowers_cnn", "check", "insight@flowers_cnn", "report", "seeds@flowers_cnn", "transfer"]
    assert sorted(pictures.repro()) == stages
    drawn = (pictures.folder / "reports/figures/flowers_cnn").glob("*.png")
    colourful = {path.stem for path in drawn if is_colourful(path)}
    expected = {
        "filters",
        "patches_block1",
        "feature_maps",
        "attributions",
        "adversarial_examples",
        "convolution_filters",
    }
    assert expected <= colourful


def test_text_is_prepared_trained_and_scored(text: Clone) -> None:
    ran = re.findall(r"Running stage '(.+?)'", text.output["dvc repro evaluate@letters_lstm"])
    assert ran == ["check", "prepare_own@letters", "train@letters_lstm", "evaluate@letters_lstm"]
    facts = files.read_json(text.folder / "data/prepared/letters/facts.json")
    assert facts["documents"] == {"train": 10, "validation": 1, "test": 1}
    written = files.read_json(text.folder / "data/evaluations/letters_lstm/samples.json")
    assert len(written["texts"][0]) == 300
    assert len(text.output["cvnlp generate letters_lstm --tokens 300"].rstrip("\n")) >= 290


@pytest.mark.parametrize("title", ["Your own images", "Your own text"])
def test_blocks_of_the_readme_are_the_form_that_params_takes(title: str) -> None:
    own, run = (YAML(typ="safe").load(block) for block in blocks(title, "yaml"))
    (name,) = own["own"]
    assert [block["dataset"] for block in run.values()] == [name]
