"""What a language model has learned, as arrays and numbers: how far back it looks, and what its words are near to."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files, prepared
from cvnlp.language.insight.dependencies import context_losses, gradient_norms
from cvnlp.language.insight.words import nearest, project
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device


def examine(
    network: Network, fresh: Network, data: Path, facts: dict[str, Any], options: dict[str, Any], folder: Path
) -> dict[str, float]:
    """Scores, flat; context.csv goes into `folder`, and if the network has an embedding, gradients.csv, neighbours.csv
    and projection.csv.

    `fresh` is the network as it was before training. All of the validation text: the test text is evaluate's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inputs, targets = _excerpts(data, facts["start"], options["excerpts"], options["length"])
    context = context_losses(network, inputs, targets)
    files.write_table(folder / "context.csv", context)
    scores = {f"nats_context_{tokens}": nats for tokens, nats in zip(context["tokens"], context["nats"], strict=True)}
    if isinstance(network, Recurrent) and isinstance(fresh, Recurrent):
        scores |= _save_gradients(network, fresh, inputs, targets, folder)
        _save_words(network, files.read_json(data / "vocabulary.json"), options, folder)
    return scores


def _save_gradients(
    network: Recurrent, fresh: Recurrent, inputs: Tensor, targets: Tensor, folder: Path
) -> dict[str, float]:
    norms = {"start": gradient_norms(fresh, inputs, targets), "trained": gradient_norms(network, inputs, targets)}
    files.write_table(folder / "gradients.csv", pd.DataFrame({"steps_back": np.arange(inputs.shape[1]), **norms}))
    steps = [step for step in (10, 20, 40) if step < inputs.shape[1]]
    return {f"gradient_{step}_start": float(norms["start"][step]) for step in steps} | {
        f"gradient_{step}": float(norms["trained"][step]) for step in steps
    }


def _excerpts(data: Path, start: int, count: int, length: int) -> tuple[Tensor, Tensor]:
    """Pieces of the validation text, spread evenly over it: what is read (N, length), and the token after it (N,)."""
    tokens = np.concatenate(([start], prepared.load_array(data, "validation"))).astype(np.int64)
    if len(tokens) <= length:
        raise ValueError(f"insight.length {length} is more than the validation text's {len(tokens) - 1} tokens")
    begins = np.linspace(0, len(tokens) - length - 1, count).astype(int)
    pieces = torch.from_numpy(np.stack([tokens[begin : begin + length + 1] for begin in begins])).to(device())
    return pieces[:, :-1].contiguous(), pieces[:, -1].contiguous()


def _save_words(network: Recurrent, vocabulary: list[str], options: dict[str, Any], folder: Path) -> None:
    """The most frequent tokens; the unknown, number 0, is left out."""
    vectors = network.embedding.weight.detach().cpu().double().numpy()
    frequent = range(1, min(options["words"], len(vocabulary) - 1) + 1)
    rows = [
        {"token": vocabulary[index], "rank": rank, "neighbour": vocabulary[other], "cosine": cosine}
        for index in frequent
        for rank, (other, cosine) in enumerate(nearest(vectors, index, options["neighbours"]), start=1)
    ]
    files.write_table(folder / "neighbours.csv", pd.DataFrame(rows))
    places = project(vectors[list(frequent)])
    table = pd.DataFrame({"token": [vocabulary[index] for index in frequent], "x": places[:, 0], "y": places[:, 1]})
    files.write_table(folder / "projection.csv", table)
