"""One device for every stage."""

import ast

import pytest
import torch

from cvnlp.launch import devices
from cvnlp.launch.settings import Launch
from cvnlp.training import parallel
from source_tree import TREES

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("chosen", "cuda", "mps", "expected"),
    [
        ("auto", False, False, "cpu"),
        ("auto", True, False, "cuda"),
        ("auto", False, True, "cpu"),  # mps lacks operators and float64: only if chosen
        ("mps", False, True, "mps"),
        ("cpu", True, False, "cpu"),
    ],
)
def test_the_device(chosen: str, cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    monkeypatch.setenv("CVNLP_ACCELERATOR", chosen)
    assert devices.device().type == expected


def test_a_missing_device_is_named_with_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=False, mps=True)
    monkeypatch.setenv("CVNLP_ACCELERATOR", "cuda")
    with pytest.raises(ValueError, match=r"CVNLP_ACCELERATOR: .* no 'cuda' here; valid choices: auto, cpu, mps"):
        devices.device()


def test_a_training_uses_the_device_of_the_other_stages() -> None:
    for name in ("cpu", "cuda", "mps"):
        assert parallel.trainer_options(Launch(), torch.device(name), learns_by_gradients=True)["accelerator"] == name


@pytest.mark.parametrize(
    ("launch", "device", "message"),
    [
        (Launch(devices=2, strategy="fsdp"), CPU, "CVNLP_STRATEGY: fsdp needs GPUs, and the device is cpu"),
        (Launch(devices=2), torch.device("mps"), "CVNLP_DEVICES: there is one mps device; take 1, not 2"),
    ],
)
def test_impossible_combinations(launch: Launch, device: torch.device, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parallel.trainer_options(launch, device, learns_by_gradients=True)


def test_a_network_without_gradients_learns_in_one_process() -> None:
    options = parallel.trainer_options(Launch(devices=4, accumulate=2), CUDA, learns_by_gradients=False)
    assert (options["devices"], options["accumulate_grad_batches"], options["strategy"]) == (1, 1, "auto")


@pytest.mark.parametrize("module", [name for name in sorted(TREES) if name != "cvnlp.launch.devices"])
def test_no_other_module_chooses_a_device(module: str) -> None:
    """By torch.device("cuda"), .cuda() or .to("cuda")."""
    calls = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    names = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
    literals = [one.value for call in calls for one in call.args if isinstance(one, ast.Constant)]
    assert "cuda" not in names
    assert not {"cuda", "mps"} & {str(one) for one in literals} or module.endswith("recurrent")  # asks for autocast
