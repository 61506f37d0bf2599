"""The block `optimiser` of a training: the optimiser and the schedule of its learning rate."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cvnlp.params.base import Kinds, Strict, check_own, with_defaults

Betas = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]
OPTIMISERS: Kinds = {"adamw": {"betas": [0.9, 0.999], "eps": 1e-8}, "muon": {"momentum": 0.9}}
SCHEDULES: Kinds = {
    "one_cycle": {"warmup": 0.3},
    "plateau": {"warmup": 0.0, "factor": 0.25},
    "exponential": {"warmup": 0.0, "factor": 0.5, "hold_epochs": 1},
}


class Optimiser(Strict):
    """AdamW, SGD or Muon, and the schedule of the learning rate over all steps.

    `decay_all: false` exempts biases and the weights of normalisation layers (all with fewer than two dimensions) from
    weight decay. `momentum` and `nesterov` belong to sgd, `betas` and `eps` to adamw; nesterov null: on if there is
    momentum. `muon` (Jordan et al. 2024) is for convolutional networks with batch normalisation: all kernels but the
    first are updated with `kernel_lr` (default lr / 2) along their orthogonalised gradients, other weights by sgd.

    The learning rate rises to `lr` during `warmup` (a fraction of all steps) and then falls along the `schedule` to
    `final` (a fraction of lr). `one_cycle` (Smith and Topin 2018; default warmup 0.3) rises from lr / 25 and falls
    again, each along half a cosine, while momentum (adamw: the first of `betas`) falls to `lowest_momentum` (null: 0.1
    lower, but at least half) and rises again. `plateau` multiplies lr by `factor` (default 0.25) after each epoch whose
    validation score is not the best so far; `exponential` (Zaremba et al. 2014) keeps lr for `hold_epochs` (default 1),
    then multiplies it by `factor` (default 0.5) in each further epoch. Both stop at `final` and have no warmup.
    """

    name: Literal["adamw", "sgd", "muon"]
    weight_decay: float = Field(default=0.0, ge=0)
    decay_all: bool = True
    momentum: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool | None = None
    betas: Betas | None = None
    eps: float | None = Field(default=None, gt=0)
    kernel_lr: float | None = Field(default=None, gt=0)
    schedule: Literal["cosine", "linear", "constant", "one_cycle", "plateau", "exponential"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    final: float = Field(default=0.0, ge=0, lt=1)
    lowest_momentum: float | None = Field(default=None, gt=0, lt=1)
    factor: float | None = Field(default=None, gt=0, lt=1)
    hold_epochs: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_kind(cls, given: Any) -> Any:
        return with_defaults(with_defaults(given, "name", OPTIMISERS), "schedule", SCHEDULES)

    @model_validator(mode="after")
    def _has_no_idle_momentum(self) -> "Optimiser":
        if self.name == "adamw" and self.momentum:
            raise ValueError("momentum belongs to sgd and muon; adamw has its own")
        if self.nesterov is not None and self.name == "muon":
            raise ValueError("nesterov belongs to sgd; muon always has it")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov belongs to sgd with a momentum above 0")
        return self

    @model_validator(mode="after")
    def _has_no_key_of_another_optimiser(self) -> "Optimiser":
        if self.name != "adamw" and (self.betas or self.eps):
            raise ValueError(f"betas and eps belong to adamw; leave them out with {self.name}")
        if self.name != "muon" and self.kernel_lr:
            raise ValueError("kernel_lr belongs to muon")
        if self.name == "muon" and not self.decay_all:
            raise ValueError("decay_all belongs to adamw and sgd; muon keeps its kernels at one length without decay")
        if self.name == "muon" and self.schedule == "one_cycle":
            raise ValueError("one_cycle schedules one momentum, and muon has two; take cosine, linear or constant")
        if not (self.decay_all or self.weight_decay):
            raise ValueError("decay_all: false needs a weight_decay above 0")
        return self

    @model_validator(mode="after")
    def _has_no_key_of_another_schedule(self) -> "Optimiser":
        if self.schedule == "constant" and self.final:
            raise ValueError(
                "final belongs to cosine, linear, one_cycle, plateau and exponential; constant stays at lr"
            )
        if self.schedule == "one_cycle" and not self.warmup:
            raise ValueError("one_cycle needs a warmup above 0")
        if self.schedule in ("plateau", "exponential") and self.warmup:
            raise ValueError(f"warmup belongs to cosine, linear, constant and one_cycle; {self.schedule} begins at lr")
        check_own(self, "schedule", SCHEDULES, "factor", "hold_epochs")
        highest = self.betas[0] if self.betas else self.momentum
        if self.lowest_momentum and not (self.schedule == "one_cycle" and self.lowest_momentum <= highest):
            raise ValueError(f"lowest_momentum belongs to one_cycle, and is at most the momentum itself ({highest:g})")
        return self
