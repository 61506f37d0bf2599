"""The messages that a training sends to the process that records it: one line of JSON each.

`at`: seconds since the epoch. A message that is sent to MLflow twice has the same time, so that it is stored once.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cvnlp.tracking.run_metadata import RunMetadata

Status = Literal["FINISHED", "FAILED", "KILLED"]  # MLflow's names


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")  # a diverged loss is NaN or infinite

    def to_line(self) -> str:
        return self.model_dump_json() + "\n"


class Start(_Message):
    """`note` is a file with the MLflow run's id, so that a resumed training continues its run; `pid` trains.

    `parent`: the note of the run to which this one belongs.
    """

    kind: Literal["start"] = "start"
    run: RunMetadata
    note: Path
    pid: int
    at: float
    parent: Path | None = None


class Metrics(_Message):
    kind: Literal["metrics"] = "metrics"
    values: dict[str, float]
    step: int
    at: float


class End(_Message):
    kind: Literal["end"] = "end"
    status: Status
    tags: dict[str, str]


Message = Start | Metrics | End
_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def parse(line: str) -> Message:
    return _ADAPTER.validate_json(line)
