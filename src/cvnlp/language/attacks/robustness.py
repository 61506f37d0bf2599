"""Robustness of a language model: its perplexity when a share of the tokens that it reads is changed."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.domains import AttackResult
from cvnlp.language.attacks.checks import check_attack
from cvnlp.language.attacks.flags import WORST_CASE, raised_flags
from cvnlp.language.attacks.table import ATTACKS
from cvnlp.language.batches import evenly_spaced_excerpts
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.scoring import texts_per_batch, token_nats
from cvnlp.language.metrics import perplexity_interval
from cvnlp.language.models import Network, Recurrent
from cvnlp.launch.devices import device
from cvnlp.params.attacks import LanguageAttack, shown_strength
from cvnlp.params.option_types import number_key


class _Attacked(NamedTuple):
    """What one attack has made of the excerpts: whether each token differs (N, T), and the nats of each one (N, T)."""

    changed: Tensor
    nats: Tensor


def attack(network: Network, data: Path, facts: LanguageFacts, options: LanguageAttack, folder: Path) -> AttackResult:
    """Perplexity of excerpts of the test text for every attack and share, and in the worst case.

    In the worst case each excerpt is changed by the attack that raises its own loss most. The table has the columns
    method, share (as exact text), changed (share of tokens that differ), perplexity, and low and high, its 95 %
    interval over excerpts. Into `folder` goes the first excerpt before and after the attacks with the median share.
    """
    excerpts = evenly_spaced_excerpts(
        data, "test", facts.start, count=options.excerpts, length=options.length, key="attack.length"
    )
    inputs, targets = (side.to(device()) for side in excerpts)
    vocabulary, shares = files.read_json(data / "vocabulary.json"), sorted(options.shares)
    texts, results, seconds = {"clean": inputs}, {}, dict.fromkeys(_applicable(network), 0.0)
    for share in shares:
        attacked = {}
        for method in seconds:
            started = perf_counter()
            attacked[method] = _attacked(method, network, inputs, targets, share, vocabulary)
            seconds[method] += perf_counter() - started
        results[share] = _evaluate(network, inputs, targets, attacked)
        if share == _median(shares):
            texts |= attacked
    clean = [_nats(network, inputs, targets) for _ in range(2)]
    rows = list(_rows(results))
    shown = number_key(shown_strength(shares))
    examples = {name: np.array(as_text(ids[0].tolist(), vocabulary, facts)) for name, ids in texts.items()}
    for name, array in (examples | {"share": np.array(_median(shares))}).items():
        prepared.save_array(folder, name, array)
    flags = _flags(results, clean)
    return AttackResult(
        _scores(rows, clean[0]) | flags | {"flags_raised": sum(flags.values())},
        [*(f"perplexity_{method}_{shown}" for method in (*_applicable(network), WORST_CASE)), "flags_raised"],
        pd.DataFrame(rows),
        seconds,
    )


def _evaluate(network: Network, inputs: Tensor, targets: Tensor, attacked: dict[str, Tensor]) -> dict[str, _Attacked]:
    """The result of every attack, and last that of the worst case."""
    found = {
        method: _Attacked((tokens != inputs).cpu(), _nats(network, tokens, targets))
        for method, tokens in attacked.items()
    }
    changed, nats = (torch.stack(parts) for parts in zip(*found.values(), strict=True))
    worst, excerpts = nats.double().mean(2).argmax(0), torch.arange(len(inputs))
    return found | {WORST_CASE: _Attacked(changed[worst, excerpts], nats[worst, excerpts])}


def _rows(results: dict[float, dict[str, _Attacked]]) -> Iterator[dict[str, Any]]:
    for share, methods in results.items():
        for method, (changed, nats) in methods.items():
            low, high = perplexity_interval(nats.double().mean(1).numpy())
            row = {"method": method, "share": number_key(share), "changed": float(changed.double().mean())}
            yield row | {"perplexity": _perplexity(nats), "low": low, "high": high}


def _scores(rows: list[dict[str, Any]], clean: Tensor) -> dict[str, float]:
    """Perplexities, and the interval of the worst case."""
    scores = {"perplexity_clean": _perplexity(clean), "tokens": clean.numel()}
    for row in rows:
        name = f"perplexity_{row['method']}_{row['share']}"
        scores[name] = row["perplexity"]
        if row["method"] == WORST_CASE:
            scores |= {f"{name}_{end}": row[end] for end in ("low", "high")}
    return scores


def _flags(results: dict[float, dict[str, _Attacked]], clean: list[Tensor]) -> dict[str, float]:
    losses = {
        share: {method: nats.double().mean(1) for method, (_, nats) in methods.items()}
        for share, methods in results.items()
    }
    return raised_flags(losses, clean)


def _applicable(network: Network) -> list[str]:
    return [name for name, entry in ATTACKS.items() if isinstance(network, Recurrent) or not entry.needs_embedding]


def _attacked(
    method: str, network: Network, inputs: Tensor, targets: Tensor, share: float, vocabulary: list[str]
) -> Tensor:
    """The inputs after an attack, checked."""
    entry, generator = ATTACKS[method], torch.Generator().manual_seed(1)
    attacked = entry.function(network, inputs, targets, share=share, generator=generator, vocabulary=vocabulary)
    check_attack(method, inputs, attacked, share=share, vocabulary_size=network.vocabulary_size, exact=entry.exact)
    return attacked


def _median(shares: list[float]) -> float:
    return shares[len(shares) // 2]


def _nats(network: Network, inputs: Tensor, targets: Tensor) -> Tensor:
    return token_nats(network, inputs, targets, batch_size=texts_per_batch(network, inputs.shape[1]))


def _perplexity(nats: Tensor) -> float:
    return float(nats.double().mean().exp())
