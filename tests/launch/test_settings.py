"""Launch settings: environment variables, and those of torchrun and Slurm."""

import pytest

from cvnlp.launch.processes import is_main_process
from cvnlp.launch.settings import Launch, read_launch

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "5", "LOCAL_RANK": "1"}
SRUN = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "3"}
BATCH_SCRIPT = {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_PROCID": "0"}


def test_one_process_by_default() -> None:
    assert read_launch({}) == Launch(accelerator="auto", devices=1, nodes=1, strategy="auto", accumulate=1)


def test_variables_are_read() -> None:
    given = {"CVNLP_ACCELERATOR": "cpu", "CVNLP_DEVICES": "2", "CVNLP_NODES": "3", "CVNLP_ACCUMULATE": "4"}
    assert read_launch(given) == Launch(accelerator="cpu", devices=2, nodes=3, accumulate=4)
    assert read_launch(given).processes == 6
    assert read_launch({"CVNLP_STRATEGY": "fsdp", "CVNLP_DEVICES": ""}) == Launch(strategy="fsdp")


@pytest.mark.parametrize(
    ("variable", "value", "choices"),
    [
        ("CVNLP_ACCELERATOR", "gpu", "'auto', 'cpu', 'cuda' or 'mps'"),
        ("CVNLP_STRATEGY", "deepspeed", "'auto', 'ddp' or 'fsdp'"),
        ("CVNLP_DEVICES", "0", "a whole number, 1 or more"),
        ("CVNLP_NODES", "two", "a whole number, 1 or more"),
        ("CVNLP_ACCUMULATE", "1.5", "a whole number, 1 or more"),
    ],
)
def test_a_wrong_value_is_named_with_the_valid_ones(variable: str, value: str, choices: str) -> None:
    with pytest.raises(ValueError, match="valid choices") as error:
        read_launch({variable: value})
    assert str(error.value) == f"{variable}: {value!r} is not valid; valid choices: {choices}"


@pytest.mark.parametrize("environment", [TORCHRUN, SRUN])
def test_torchrun_and_slurm_decide_the_number_of_processes(environment: dict[str, str]) -> None:
    launch = read_launch({"CVNLP_DEVICES": "1", "CVNLP_ACCUMULATE": "2", **environment})
    assert (launch.nodes, launch.devices, launch.accumulate) == (2, 4, 2)


def test_a_batch_script_of_slurm_is_one_process() -> None:
    assert read_launch(BATCH_SCRIPT).processes == 1


@pytest.mark.parametrize(
    ("variables", "main"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),  # the first process of another machine
        ({"LOCAL_RANK": "1"}, False),
        (SRUN, False),
        (BATCH_SCRIPT, True),
    ],
)
def test_the_main_process_is_the_one_of_rank_zero(
    variables: dict[str, str], main: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() is main
