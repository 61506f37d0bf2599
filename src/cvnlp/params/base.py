"""What all forms of params.yaml share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Run and data set names become parts of file names, of DVC stage names and of MLflow names.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy and Lightning take
Kinds = Mapping[str, Mapping[str, Any]]  # kind -> the defaults of the keys that belong to it


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def with_defaults(given: Any, chooser: str, kinds: Kinds) -> Any:
    """What is given, and the defaults of the kind that it names at `chooser`; what is no table its form refuses."""
    kind = given.get(chooser) if isinstance(given, dict) else None
    return {**kinds[kind], **given} if isinstance(kind, str) and kind in kinds else given


def check_own(form: BaseModel, chooser: str, kinds: Kinds, *keys: str) -> None:
    """ValueError if one of `keys` is missing though it belongs to the kind chosen, or given though it does not."""
    for key in keys:
        users = [kind for kind, own in kinds.items() if key in own]
        if (getattr(form, chooser) in users) != (getattr(form, key) is not None):
            raise ValueError(f"{key}: a number with {chooser}: {' or '.join(users)}, and with no other")
