"""Launch settings, from environment variables: they decide where and how fast a stage runs, not what it computes.

So they are no params: the same params.yaml runs on a laptop and on a cluster. Imports no torch.
"""

import os
from collections.abc import Mapping, MutableMapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cvnlp.launch.processes import process_grid

PREFIX = "CVNLP_"
Count = Annotated[int, Field(ge=1)]


class Launch(BaseModel):
    """`accelerator` of every stage: auto is cuda if PyTorch finds a GPU, else cpu; mps is never chosen by auto.

    Of a training: `devices`, the processes on each of `nodes` machines; `strategy`, auto is ddp if there are several;
    fsdp shares weights and optimiser states out among GPUs; `accumulate`, the parts in which a process computes its
    share of a batch, one after the other, to save memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    nodes: Count = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    accumulate: Count = 1

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


ONE_PROCESS = Launch()


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def read_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """The settings of this process; ValueError names a wrong variable, its value and the valid choices.

    Under torchrun and Slurm the number of machines and processes is theirs.
    """
    given = {name: environment[variable(name)] for name in Launch.model_fields if environment.get(variable(name))}
    try:
        launch = Launch.model_validate(given)
    except ValidationError as error:
        raise ValueError("\n".join(_explain(given, error))) from None
    grid = process_grid(environment)
    return launch if grid is None else launch.model_copy(update={"nodes": grid[0], "devices": grid[1]})


def choose(environment: MutableMapping[str, str], **chosen: str | int | None) -> None:
    """Set the variables of the settings that are not None, for this process and those that it starts."""
    environment.update({variable(name): str(value) for name, value in chosen.items() if value is not None})


def _explain(given: Mapping[str, str], error: ValidationError) -> list[str]:
    found = []
    for mistake in error.errors():
        name, expected = str(mistake["loc"][0]), mistake.get("ctx", {}).get("expected")
        valid = expected or "a whole number, 1 or more"
        found.append(f"{variable(name)}: {given[name]!r} is not valid; valid choices: {valid}")
    return found
