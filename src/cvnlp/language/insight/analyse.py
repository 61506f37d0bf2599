"""Analyse what a language model has learned: context, state, embeddings, memorisation."""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from cvnlp import files
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.batches import evenly_spaced_excerpts
from cvnlp.language.insight.context import gradient_norms, losses_after_replaced_prefixes, losses_by_context
from cvnlp.language.insight.embeddings import save_embeddings
from cvnlp.language.insight.memorisation import save_samples
from cvnlp.language.insight.recall import recall
from cvnlp.language.insight.state import choose_columns, save_losses, save_states
from cvnlp.language.models import Network, Recurrent
from cvnlp.launch.devices import device
from cvnlp.params.insight import LanguageInsight

GRADIENT_STEPS = (10, 20, 40)  # of the norms among the scores


def analyse(
    network: Network, untrained: Network, data: Path, facts: LanguageFacts, options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """Scores, flat, and tables in `folder`: for every network context.csv, prefixes.csv, positions.csv, frequencies.csv
    and samples.json; for a recurrent one also gradients.csv, units.csv, states.json, recall.csv and the tables of its
    embeddings.

    `untrained` is the same network before training. Reads the validation split; the test split is for `evaluate`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    excerpts = evenly_spaced_excerpts(
        data, "validation", facts.start, count=options.excerpts, length=options.length, key="insight.length"
    )
    inputs, targets = (side.to(device()) for side in excerpts)
    columns = choose_columns(data, facts, options.state_tokens)
    scores = _save_context(network, inputs, targets, folder)
    scores |= save_losses(network, columns, data, folder)
    scores |= save_samples(network, data, facts, options, folder)
    if isinstance(network, Recurrent) and isinstance(untrained, Recurrent):
        scores |= _save_gradients(network, untrained, inputs, targets[:, -1], folder)
        scores |= save_states(network, untrained, columns, folder)
        scores |= save_embeddings(network, untrained, files.read_json(data / "vocabulary.json"), options, folder)
        scores |= _save_recall(network, options.recall_steps, folder)
    return scores


def _save_context(network: Network, inputs: Tensor, targets: Tensor, folder: Path) -> dict[str, float]:
    context = losses_by_context(network, inputs, targets[:, -1])
    prefixes = losses_after_replaced_prefixes(network, inputs, targets)
    files.write_table(folder / "context.csv", context)
    files.write_table(folder / "prefixes.csv", prefixes)
    scores = {f"nats_context_{tokens}": nats for tokens, nats in zip(context["tokens"], context["nats"], strict=True)}
    rows = zip(prefixes["prefix"], prefixes["distance"], prefixes["extra"], strict=True)
    return scores | {f"extra_nats_{prefix}_at_{distance}": extra for prefix, distance, extra in rows}


def _save_gradients(
    network: Recurrent, untrained: Recurrent, inputs: Tensor, targets: Tensor, folder: Path
) -> dict[str, float]:
    networks = {"untrained": untrained, "trained": network}
    norms = {name: gradient_norms(one, inputs, targets) for name, one in networks.items()}
    files.write_table(folder / "gradients.csv", pd.DataFrame({"steps_back": np.arange(inputs.shape[1]), **norms}))
    steps = [step for step in GRADIENT_STEPS if step < inputs.shape[1]]
    return {f"gradient_{step}_untrained": float(norms["untrained"][step]) for step in steps} | {
        f"gradient_{step}": float(norms["trained"][step]) for step in steps
    }


def _save_recall(network: Recurrent, steps: int, folder: Path) -> dict[str, float]:
    """Empty for 0 steps of training."""
    if not steps:
        return {}
    table = recall(type(network), steps=steps)
    files.write_table(folder / "recall.csv", table)
    return {f"recall_{steps}": share for steps, share in zip(table["steps_back"], table["accuracy"], strict=True)}
