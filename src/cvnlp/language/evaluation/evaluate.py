"""A language model on the test split: the cost of every token, and samples of what it writes."""

from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language import metrics
from cvnlp.language.evaluation.adaptation import adapt
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models import Network
from cvnlp.params.runs import LanguageEvaluate

EXCERPT = 480  # tokens from the middle of the test text whose cost the report shows one by one
PIECES = 40  # of the test text, for each of which it is told what adapting to it saved


def evaluate(
    network: Network, data: Path, facts: LanguageFacts, options: LanguageEvaluate, details: Path
) -> dict[str, float]:
    """Scores of the test split, read as one text; into `details` go samples.json, excerpt.json and adapted.json."""
    adapted = adapt(network, data, facts.start, options)
    tokens = prepared.load_array(data, "test")
    nats = text_nats(network, tokens, facts.start)
    vocabulary = files.read_json(data / "vocabulary.json")
    files.write_json(details / "excerpt.json", _excerpt(tokens, nats, vocabulary, facts))
    files.write_json(details / "samples.json", _samples(network, vocabulary, facts, options))
    found = metrics.summary(nats, unknown=facts.unknown["test"], token_kind=facts.token_kind)
    for method, (_, costs) in adapted.items():
        found |= metrics.adapted(method, costs, token_kind=facts.token_kind)
    if adapted:
        files.write_json(details / "adapted.json", _saved(nats, adapted))
    return found


def _excerpt(tokens: np.ndarray, nats: np.ndarray, vocabulary: list[str], facts: LanguageFacts) -> dict[str, Any]:
    """What the tokens from the middle of the text cost."""
    middle = slice(len(tokens) // 2, len(tokens) // 2 + EXCERPT)
    return {
        "tokens": [vocabulary[token] for token in tokens[middle]],
        "nats": np.round(nats[middle], 4).tolist(),
        "token_kind": facts.token_kind,
        "line_end": vocabulary[facts.start],
    }


def _samples(
    network: Network, vocabulary: list[str], facts: LanguageFacts, options: LanguageEvaluate
) -> dict[str, Any]:
    """What it writes."""
    written = generate(
        network,
        facts.start,
        count=options.samples,
        tokens=options.sample_tokens,
        sampling=Sampling(temperature=options.temperature),
        seed=1,
    )
    texts = [as_text(sample, vocabulary, facts) for sample in written.tolist()]
    return {"temperature": options.temperature, "texts": texts}


def _saved(nats: np.ndarray, adapted: dict[str, tuple[dict[str, Any], np.ndarray]]) -> dict[str, Any]:
    """The settings of each method, and the nats per token that it saved in one piece of the text after the other."""
    pieces = min(PIECES, len(nats))
    methods = {
        method: {
            "settings": settings,
            "saved": [round(float(piece.mean()), 4) for piece in np.array_split(nats - costs, pieces)],
        }
        for method, (settings, costs) in adapted.items()
    }
    return {"tokens": len(nats), "methods": methods}
