"""The contract that a half (vision, language) fulfils, as one table; the stages know the halves only through it."""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from cvnlp.params import Choices, Params, load
from cvnlp.schemas import network_schemas
from cvnlp.sources.catalogue import SOURCES

HALVES = ("vision", "language")

# module -> public names that both halves have, with the same arguments; after the `*` stand a half's own options
CONTRACT = {
    "data": ("prepare",),
    "batches": ("split_batches", "train_batches"),
    "models": ("MODELS", "multiply_adds", "network_arguments"),
    "task": ("Task",),
    "scores": ("COMPARED", "EXAMPLES", "HEADLINE"),
    "evaluation": ("evaluate",),
    "attacks": ("ATTACKS", "attack"),
    "serving": ("example", "predict"),
    "figures": ("LEARNING", "ROBUSTNESS", "TITLE", "draw_run"),
    "card": ("draw_card",),
    "insight": ("examine",),
    "insight_figures": ("draw_insight",),
    "comparison_figures": ("draw_comparison",),
}


def part(domain: str, name: str) -> ModuleType:
    """The module `name` of a half: `part("vision", "models")` is `cvnlp.vision.models`."""
    if domain not in HALVES or name not in CONTRACT:
        raise ValueError(f"no part {name!r} of {domain!r}; halves: {', '.join(HALVES)}; parts: {', '.join(CONTRACT)}")
    return importlib.import_module(f"cvnlp.{domain}.{name}")


@cache
def choices(domain: str) -> Choices:
    folder = Path(__file__).parent / domain / "models"
    source = folder if folder.is_dir() else folder.with_suffix(".py")
    sources = {name: entry.held_out for name, entry in SOURCES.items() if entry.domain == domain}
    return Choices(networks=network_schemas(source), sources=sources)


def read_params(path: Path) -> Params:
    """params.yaml, checked whole against what both halves offer; imports no torch."""
    return load(path, {domain: choices(domain) for domain in HALVES})
