"""A language model on the test split: the cost of every token, and samples of what it writes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp import files, prepared
from cvnlp.language import scores
from cvnlp.language.batches import IGNORED, Windows
from cvnlp.language.models import Network
from cvnlp.networks import device

EXCERPT = 480  # tokens from the middle of the test text whose cost the report shows one by one
WINDOW = 512  # of no influence on the result: the state is carried over


def evaluate(
    network: Network, data: Path, facts: dict[str, Any], options: dict[str, Any], details: Path
) -> dict[str, float]:
    """Scores of the test split, read as one text; into `details` go samples.json and excerpt.json."""
    tokens = prepared.load_array(data, "test")
    nats = token_nats(network, tokens, facts["start"])
    vocabulary = files.read_json(data / "vocabulary.json")
    middle = slice(len(tokens) // 2, len(tokens) // 2 + EXCERPT)
    excerpt = {"tokens": [vocabulary[token] for token in tokens[middle]], "nats": np.round(nats[middle], 4).tolist()}
    files.write_json(
        details / "excerpt.json", excerpt | {"token_kind": facts["token_kind"], "line_end": vocabulary[facts["start"]]}
    )
    samples = generate(
        network,
        facts["start"],
        count=options["samples"],
        tokens=options["sample_tokens"],
        temperature=options["temperature"],
        generator=torch.Generator().manual_seed(1),
    )
    texts = [as_text(sample, vocabulary, facts) for sample in samples.tolist()]
    files.write_json(details / "samples.json", {"temperature": options["temperature"], "texts": texts})
    return scores.summary(nats, unknown=facts["unknown"]["test"], token_kind=facts["token_kind"])


@torch.inference_mode()
def token_nats(network: Network, tokens: np.ndarray, start: int, *, columns: int = 1) -> np.ndarray:
    """The negative log-likelihood of every token given all before it, float32, in the text's order.

    With one column the state is carried through the whole text. More columns are faster and forget at their borders.
    """
    state, parts = None, []
    for inputs, targets, _ in Windows(tokens, start, columns=columns, window=WINDOW):
        logits, state = network(inputs.to(device()), state)
        parts.append(cross_entropy(logits, targets.to(device())).cpu())
    return torch.cat(parts, dim=1).flatten()[: len(tokens)].numpy()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Nats of every target (B, T) in fp32; 0 for what is IGNORED."""
    # the tokens in one row: over many words several times as fast as (B, vocabulary, T)
    rows = logits.float().flatten(0, 1), targets.flatten()
    return F.cross_entropy(*rows, ignore_index=IGNORED, reduction="none").view(targets.shape)


@torch.inference_mode()
def generate(
    network: Network, start: int, *, count: int, tokens: int, temperature: float, generator: torch.Generator
) -> Tensor:
    """`count` texts of so many token ids (count, tokens), each begun after the start token; never the unknown token."""
    current, state = torch.full((count, 1), start, device=device()), None
    written = []
    for _ in range(tokens):
        logits, state = network(current, state)
        likely = logits[:, -1].float().cpu() / temperature
        likely[:, 0] = -torch.inf  # the unknown token is always number 0
        current = torch.multinomial(likely.softmax(1), 1, generator=generator).to(device())
        written.append(current)
    return torch.cat(written, dim=1).cpu()


def as_text(ids: list[int], vocabulary: list[str], facts: dict[str, Any]) -> str:
    """Token ids as people read them; number 0 is the unknown token, `start` in the facts the one that ends a line."""
    if facts["token_kind"] == "characters":
        return "".join(vocabulary[index] if index else "\N{REPLACEMENT CHARACTER}" for index in ids)
    lines = " ".join("\n" if index == facts["start"] else vocabulary[index] for index in ids)
    return "\n".join(line.strip() for line in lines.split("\n"))
