"""What all models of params.yaml share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# names of runs and data sets become parts of file names, DVC stages and MLflow names
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # the range that numpy and Lightning accept
Kinds = Mapping[str, Mapping[str, Any]]  # kind -> the defaults of the keys that belong to it


class Strict(BaseModel):
    """Frozen; refuses unknown keys, values of another type, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Computation(Strict):
    """`threads` of the processor: with another number sums are rounded in another order, to other bytes."""

    threads: int = Field(default=1, gt=0)


def with_defaults(given: Any, chooser: str, kinds: Kinds) -> Any:
    """`given` with the defaults of its kind, the value of its key `chooser`; other values than tables unchanged."""
    kind = given.get(chooser) if isinstance(given, dict) else None
    return {**kinds[kind], **given} if isinstance(kind, str) and kind in kinds else given


def check_own(form: BaseModel, chooser: str, kinds: Kinds, *keys: str) -> None:
    """ValueError if one of `keys` belongs to the chosen kind but is missing, or does not but is given."""
    for key in keys:
        users = [kind for kind, own in kinds.items() if key in own]
        if (getattr(form, chooser) in users) != (getattr(form, key) is not None):
            raise ValueError(f"{key}: a number with {chooser}: {' or '.join(users)}; leave it out otherwise")
