"""Scores of a language model that adapts to the text it is scored on, each token after it was predicted.

They have names of their own, next to the static scores of the model as it was trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cvnlp.language.evaluation.continuous_cache import CacheSettings, cache_grid, cache_nats
from cvnlp.language.evaluation.dynamic_evaluation import DynamicSettings, dynamic_grid, dynamic_nats
from cvnlp.language.models import Network, Recurrent
from cvnlp.params.evaluation import LanguageEvaluate

Settings = TypeVar("Settings", DynamicSettings, CacheSettings)
Method = Callable[[Recurrent, Path, str, int, Sequence[Settings]], np.ndarray]


@dataclass(frozen=True)
class Adapted:
    """The settings that were used, and the nats of every test token, float32 (N,)."""

    settings: DynamicSettings | CacheSettings
    nats: np.ndarray


def adapt(network: Network, data: Path, start: int, options: LanguageEvaluate) -> dict[str, Adapted]:
    """Score the test split by each method for which `options` has a block: name -> result.

    Of several values of a setting the ones that are best on the validation split are used. ValueError for a network
    that is not recurrent, or if the loss becomes infinite.
    """
    found = {}
    if options.dynamic:
        found["dynamic"] = _adapt("dynamic", dynamic_nats, network, data, start, dynamic_grid(options.dynamic))
    if options.cache:
        found["cache"] = _adapt("cache", cache_nats, network, data, start, cache_grid(options.cache))
    return found


def _adapt(
    name: str, method: Method[Settings], network: Network, data: Path, start: int, grid: list[Settings]
) -> Adapted:
    if not isinstance(network, Recurrent):
        raise ValueError(f"evaluate.{name}: needs a recurrent network (rnn, gru or lstm); remove it for this run")
    losses = method(network, data, "validation", start, grid).mean(1) if len(grid) > 1 else np.zeros(1)
    best = grid[int(np.nan_to_num(losses, nan=np.inf).argmin())]
    nats = method(network, data, "test", start, [best])[0]
    if not np.isfinite(nats).all():
        raise ValueError(f"evaluate.{name}: the model diverged with {_listed(best)}; choose smaller steps")
    return Adapted(best, nats)


def _listed(settings: DynamicSettings | CacheSettings) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in asdict(settings).items())
