"""Robustness of a language model: its perplexity when a share of the tokens that it reads is changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data.prepared import LanguageFacts
from cvnlp.domains import AttackResult
from cvnlp.language.attacks.checks import check_attack
from cvnlp.language.attacks.table import ATTACKS
from cvnlp.language.batches import evenly_spaced_excerpts
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.scoring import texts_per_batch, token_nats
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device
from cvnlp.params.attacks import LanguageAttack
from cvnlp.params.option_types import number_key

METRIC_SHARE = 0.1  # the perplexities at the nearest share are metrics of DVC and MLflow


def attack(network: Network, data: Path, facts: LanguageFacts, options: LanguageAttack) -> AttackResult:
    """Perplexity of excerpts of the test text for every attack and share.

    The table has the columns method, share (as exact text), changed (share of tokens that differ) and perplexity; the
    examples are the first excerpt before and after the attacks with the median share.
    """
    excerpts = evenly_spaced_excerpts(
        data, "test", facts.start, count=options.excerpts, length=options.length, key="attack.length"
    )
    inputs, targets = (side.to(device()) for side in excerpts)
    vocabulary = files.read_json(data / "vocabulary.json")
    shares = sorted(options.shares)
    rows: list[dict[str, Any]] = []
    texts = {"clean": inputs}
    for share in shares:
        for method in _applicable(network):
            attacked = _attacked(method, network, inputs, targets, share, vocabulary)
            row = {"method": method, "share": number_key(share), "changed": float((attacked != inputs).double().mean())}
            rows.append(row | {"perplexity": _perplexity(network, attacked, targets)})
            if share == _median(shares):
                texts[method] = attacked
    scores = {f"perplexity_{row['method']}_{row['share']}": row["perplexity"] for row in rows}
    scores |= {"perplexity_clean": _perplexity(network, inputs, targets), "tokens": targets.numel()}
    examples = {name: np.array(as_text(ids[0].tolist(), vocabulary, facts)) for name, ids in texts.items()}
    shown = number_key(min(shares, key=lambda share: abs(share - METRIC_SHARE)))
    metrics = [f"perplexity_{method}_{shown}" for method in _applicable(network)]
    return AttackResult(scores, metrics, pd.DataFrame(rows), examples | {"share": np.array(_median(shares))})


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


def _perplexity(network: Network, inputs: Tensor, targets: Tensor) -> float:
    nats = token_nats(network, inputs, targets, batch_size=texts_per_batch(network, inputs.shape[1]))
    return float(nats.double().mean().exp())
