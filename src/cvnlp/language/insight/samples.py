"""What a network writes at several temperatures, and how much of it stands word for word in the training text."""

from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.language.insight.memorisation import Copy, longest_copies
from cvnlp.language.models import Network
from cvnlp.params.insight import LanguageInsight


def save_samples(
    network: Network, data: Path, facts: LanguageFacts, options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """samples.json into `folder`: of every temperature a text and the longest span that its `samples` texts have copied
    from the training text; beside them as many pieces of the validation text, which copies nothing but by chance.
    """
    vocabulary, train = files.read_json(data / "vocabulary.json"), prepared.load_array(data, "train")
    texts = {"validation": _pieces(prepared.load_array(data, "validation"), options.samples, options.sample_tokens)}
    for temperature in options.temperatures:
        texts[f"{temperature:g}"] = _written(network, facts.start, temperature, options)
    copies = iter(longest_copies([text for group in texts.values() for text in group], train))
    rows = {name: _row(group, [next(copies) for _ in group], vocabulary, facts) for name, group in texts.items()}
    files.write_json(folder / "samples.json", rows)
    return {f"copied_{name}": row["median"] for name, row in rows.items()}


def _pieces(tokens: np.ndarray, count: int, length: int) -> list[np.ndarray]:
    """Spread evenly over a text; they overlap where it is short."""
    begins = np.linspace(0, max(0, len(tokens) - length), count).astype(int)
    return [tokens[begin : begin + length] for begin in begins]


def _written(network: Network, start: int, temperature: float, options: LanguageInsight) -> list[np.ndarray]:
    sampling = Sampling(temperature=temperature)
    count, tokens = options.samples, options.sample_tokens
    return list(generate(network, start, count=count, tokens=tokens, sampling=sampling, seed=1).numpy())


def _row(texts: list[np.ndarray], copies: list[Copy], vocabulary: list[str], facts: LanguageFacts) -> dict[str, Any]:
    """The first text; of all of them the median length in tokens of the longest copied span, and the longest of all."""
    lengths = [copy.length for copy in copies]
    longest = int(np.argmax(lengths))
    span = slice(copies[longest].begin, copies[longest].begin + copies[longest].length)
    return {
        "text": as_text(texts[0].tolist(), vocabulary, facts),
        "median": float(np.median(lengths)),
        "longest": lengths[longest],
        "copied": as_text(texts[longest][span].tolist(), vocabulary, facts),
    }
