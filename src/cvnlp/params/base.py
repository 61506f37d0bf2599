"""What all forms of params.yaml share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Run and data set names become parts of file names, of DVC stage names and of MLflow names.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy and Lightning take


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
