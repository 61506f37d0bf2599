"""What a language model has learned, as arrays and numbers: how far back it looks, what it keeps track of, what its
vectors say, and what it writes.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.insight.context import context_losses, gradient_norms
from cvnlp.language.insight.embeddings import save_vectors
from cvnlp.language.insight.prefixes import changed_prefixes
from cvnlp.language.insight.recall import recall
from cvnlp.language.insight.samples import save_samples
from cvnlp.language.insight.state import begin_reading, save_losses, save_states
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device
from cvnlp.params.insight import LanguageInsight


def analyse(
    network: Network, untrained: Network, data: Path, facts: LanguageFacts, options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """Scores, flat, and tables in `folder`: of every network context.csv, prefixes.csv, positions.csv, frequencies.csv
    and samples.json; of a recurrent one also gradients.csv, units.csv, states.json, recall.csv and its vectors' tables.

    `untrained` is the network as it was before training. All of the validation text: the test text is evaluate's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inputs, targets = _excerpts(data, facts.start, options.excerpts, options.length)
    context = context_losses(network, inputs, targets)
    files.write_table(folder / "context.csv", context)
    scores = {f"nats_context_{tokens}": nats for tokens, nats in zip(context["tokens"], context["nats"], strict=True)}
    scores |= _save_prefixes(network, inputs, targets, folder)
    reading = begin_reading(data, facts, options.state_tokens)
    scores |= save_losses(network, reading, data, folder)
    scores |= save_samples(network, data, facts, options, folder)
    if isinstance(network, Recurrent) and isinstance(untrained, Recurrent):
        scores |= _save_gradients(network, untrained, inputs, targets, folder)
        scores |= save_states(network, untrained, reading, folder)
        scores |= save_vectors(network, untrained, files.read_json(data / "vocabulary.json"), options, folder)
        scores |= _save_recall(network, options.recall_steps, folder)
    return scores


def _save_prefixes(network: Network, inputs: Tensor, targets: Tensor, folder: Path) -> dict[str, float]:
    table = changed_prefixes(network, inputs, targets)
    files.write_table(folder / "prefixes.csv", table)
    rows = zip(table["prefix"], table["distance"], table["extra"], strict=True)
    return {f"extra_nats_{prefix}_at_{distance}": extra for prefix, distance, extra in rows}


def _save_gradients(
    network: Recurrent, untrained: Recurrent, inputs: Tensor, targets: Tensor, folder: Path
) -> dict[str, float]:
    norms = {"start": gradient_norms(untrained, inputs, targets), "trained": gradient_norms(network, inputs, targets)}
    files.write_table(folder / "gradients.csv", pd.DataFrame({"steps_back": np.arange(inputs.shape[1]), **norms}))
    steps = [step for step in (10, 20, 40) if step < inputs.shape[1]]
    return {f"gradient_{step}_start": float(norms["start"][step]) for step in steps} | {
        f"gradient_{step}": float(norms["trained"][step]) for step in steps
    }


def _save_recall(network: Recurrent, steps: int, folder: Path) -> dict[str, float]:
    """Nothing if it is trained for no steps."""
    if not steps:
        return {}
    table = recall(type(network), steps=steps)
    files.write_table(folder / "recall.csv", table)
    return {f"recall_{steps}": share for steps, share in zip(table["steps_back"], table["accuracy"], strict=True)}


def _excerpts(data: Path, start: int, count: int, length: int) -> tuple[Tensor, Tensor]:
    """Pieces of the validation text, spread evenly over it: what is read (N, length), and the token after it (N,)."""
    tokens = np.concatenate(([start], prepared.load_array(data, "validation"))).astype(np.int64)
    if len(tokens) <= length:
        raise ValueError(f"insight.length {length} is more than the validation text's {len(tokens) - 1} tokens")
    begins = np.linspace(0, len(tokens) - length - 1, count).astype(int)
    pieces = torch.from_numpy(np.stack([tokens[begin : begin + length + 1] for begin in begins])).to(device())
    return pieces[:, :-1].contiguous(), pieces[:, -1].contiguous()
