"""docs/attacks.md: its examples are accepted by params.yaml, its code gives the scores, and it names what exists."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from cloning import ROOT
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.language.attacks import table as language_table
from cvnlp.language.attacks.flags import raised_flags
from cvnlp.params.adversarial_training import Adversarial
from cvnlp.params.attacks import AttackTable, LanguageAttack, VisionAttack
from cvnlp.vision.attacks import attack
from cvnlp.vision.attacks.flags import flag_of_effort, flag_of_storage, flags_of_attacks, flags_of_network
from cvnlp.vision.models.ball import Ball
from make_networks import classifier
from model_server import save_model

TEXT = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")


def parsed(yaml: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(yaml)
    return found


INLINE = [parsed(text) for text in re.findall(r"`(\{.*?\})`", TEXT)]


def test_the_block_is_accepted() -> None:
    (block,) = (parsed(text) for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
    assert set(block) == {"attack"}
    VisionAttack.model_validate(block["attack"])


@pytest.mark.parametrize("block", INLINE, ids=str)
def test_an_example_is_accepted(block: dict[str, Any]) -> None:
    kind = Adversarial if "method" in block else LanguageAttack if "shares" in block else VisionAttack
    kind.model_validate(block)


def test_every_method_of_training_has_an_example() -> None:
    assert {block["method"] for block in INLINE if "method" in block} == {"pgd", "fast", "trades", "noise"}


def test_every_attack_is_described_with_its_defaults() -> None:
    described = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.MULTILINE))
    for name, field in AttackTable.model_fields.items():
        (options,) = (kind for kind in field.annotation.__args__ if kind is not type(None))
        for option, default in re.findall(r"`(\w+): ([\w.]+)`", described[name]):
            assert parsed(f"{option}: {default}")[option] == options.model_fields[option].default, (name, option)
    assert all(f"`{name}`" in TEXT for name in language_table.ATTACKS)


def test_every_flag_is_described() -> None:
    network, images, labels = classifier("linear"), torch.rand(4, 1, 12, 12), torch.zeros(4, dtype=torch.long)
    found = [
        *flags_of_network(network, images, labels, norm="linf"),
        *flags_of_attacks([], black_box_gain=0.0, images=4),
        flag_of_effort(network, images[:0], labels[:0], Ball("linf", 0.1), steps=1, total=4),
        flag_of_storage(0),
    ]
    losses = {0.1: {name: torch.ones(2) for name in ("hotflip", "random", "worst_case")}}
    names = {flag.name for flag in found} | {
        name.removeprefix("flag_") for name in raised_flags(losses, [torch.ones(2, 3)] * 2)
    }
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
    described = re.findall(r"^\| `(\w+)` \|", TEXT.split("\n## Flags")[1].split("\n## ")[0], re.MULTILINE)
    assert set(described) == {flag.name for flag in found}


def test_the_code_prints_the_worst_case_from_the_pictures(
    tmp_path: Path, vision_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    data, model, folder = (Path("data") / name for name in ("prepared/mnist_sample", "models/mlp", "attacks/mlp"))
    shutil.copytree(vision_data, data)
    save_model(model, data, "mlp")
    folder.mkdir(parents=True)
    options = VisionAttack(eps=[0.02, 0.1], images=30, targeted=None, spatial=None, corruptions=None)
    scores = attack(networks.load(model)[0], data, prepared.read_facts(data), options, folder).scores
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(code, {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(eps, accuracy) for eps, accuracy, _ in lines] == [
        (eps, f"{scores[f'accuracy_worst_case_{eps}']:.4f}") for eps in ("0.02", "0.1")
    ]
    assert all(float(change) <= float(eps) + 1e-4 for eps, _, change in lines)
