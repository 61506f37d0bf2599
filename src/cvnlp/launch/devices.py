"""The device of every stage, as the launch settings choose it."""

import torch

from cvnlp.launch.settings import read_launch, variable


def device() -> torch.device:
    """The device on which this process computes; ValueError if PyTorch has no such device here."""
    chosen, usable = read_launch().accelerator, _usable()
    if chosen == "auto":
        return torch.device("cuda" if "cuda" in usable else "cpu")
    if chosen not in usable:
        raise ValueError(
            f"{variable('accelerator')}: PyTorch finds no {chosen!r} here; valid choices: auto, {', '.join(usable)}"
        )
    return torch.device(chosen)


def _usable() -> list[str]:
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, is_usable in found.items() if is_usable]
