"""`make growth` and the operators of a training step, on tiny inputs."""

import json
import re
from pathlib import Path

import devices
import growth
import operators
import pytest
from bench.documents import write_section
from bench.setting import ROOT, Setting
from ruamel.yaml import YAML

from cvnlp import domains, networks
from cvnlp.params import Params
from cvnlp.params.network_config import ImageFormat, make_config
from cvnlp.params.vision_networks import AlexNetOptions
from make_bench_setting import make_setting


@pytest.fixture(scope="module")
def setting(vision_data: Path, language_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return make_setting(tmp_path_factory.mktemp("project"), vision_data, language_data)


def test_stages_are_measured_on_every_size(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth.memory, "STAGES", ("evaluate",))
    monkeypatch.setattr(growth, "STAGES", ("prepare", "evaluate"))
    document = tmp_path / "scale.md"
    document.write_text("before\n<!-- images -->\nold\n<!-- end of images -->\nafter\n")
    growth.measure_all(setting, [600], [], tmp_path / "growth.json", document)
    costs = json.loads((tmp_path / "growth.json").read_text(encoding="utf-8"))["costs"]
    assert [*costs] == ["images"]
    assert {*costs["images"]} == {*growth.STAGES}
    of_size = [cost["600"] for cost in costs["images"].values()]
    assert all(cost["seconds"] > 0 and 0 < cost["anonymous"] <= cost["peak"] for cost in of_size)
    before, *table, after = [line for line in document.read_text().splitlines() if line]
    assert (before, after) == ("before", "after")
    assert table[1] == "| stage | 600 images |" and len(table) == 4 + len(growth.STAGES)


def test_a_document_without_the_section_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scale.md").write_text("nothing")
    with pytest.raises(ValueError, match="needs the lines <!-- images -->"):
        write_section(tmp_path / "scale.md", "images", "table")


def test_the_document_has_all_sections() -> None:
    text = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    for name in ("images", "characters", *operators.RUNS):
        assert text.count(f"<!-- {name} -->") == text.count(f"<!-- end of {name} -->") == 1


def test_the_settings_for_large_data_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/scale.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        Params.model_validate({"datasets": {}, **YAML(typ="safe").load(block)})


def test_the_multiply_adds_of_alexnet_are_those_of_the_document() -> None:
    images = ImageFormat(shape=(224, 224, 3), classes=1000, mean=[0.5] * 3, std=[0.2] * 3)
    network = networks.build(make_config("vision", images, AlexNetOptions(form="imagenet")))
    assert domains.DOMAINS["vision"].models.multiply_adds(network) == pytest.approx(0.7e9, rel=0.1)


@pytest.mark.parametrize("run", operators.RUNS)
def test_operators_of_a_step_have_rates(setting: Setting, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "SECONDS", 0.001)
    found = operators.record(operators.make_task(setting, run), 2)
    assert sum(operator.share for operator in found) == pytest.approx(1.0)
    products = [operator for operator in found if operators.operations(operator)]
    assert products
    assert all(operators.peer_rate(operator) for operator in products)
    assert "| others |" not in operators.table(found) and "others" in operators.table(found)


@pytest.mark.parametrize(
    ("name", "shapes", "expected"),
    [
        ("aten::addmm", ((5,), (3, 4), (4, 5)), 2 * 3 * 4 * 5),
        ("aten::mm", ((3, 4), (4, 5)), 2 * 3 * 4 * 5),
        ("aten::mkldnn_convolution", ((2, 3, 8, 8), (6, 3, 5, 5)), 2 * 2 * 64 * 6 * 3 * 25),
        ("aten::mkldnn_rnn_layer", ((7, 2, 3), (16, 3), (16, 4)), 2 * 7 * 2 * 16 * (3 + 4)),
        ("aten::relu", ((2, 3),), None),
    ],
)
def test_operations_are_two_per_multiply_add(name: str, shapes: operators.Shapes, expected: float | None) -> None:
    assert operators.operations(operators.Operator(name, shapes, 1.0, 1, 1.0)) == expected


def test_trainings_with_one_and_two_processes_are_a_row_each(setting: Setting) -> None:
    found = [devices.train(setting, "cnn", accelerator="cpu", processes=count) for count in (1, 2)]
    assert [one.processes for one in found] == [1, 2]
    assert found[0].validation == pytest.approx(found[1].validation, rel=0.5)
    rows = devices.table(found).splitlines()
    assert rows[2].startswith("| `cnn` | cpu | 1 |") and rows[3].startswith("| `cnn` | cpu | 2 |")
    assert rows[2].split("|")[5].strip() == "1.00"
