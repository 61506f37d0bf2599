"""Evaluate a language model on the test split: the loss of every token, and samples of generated text."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language import metrics
from cvnlp.language.evaluation.adaptation import Adapted, adapt
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models import Network
from cvnlp.params.evaluation import LanguageEvaluate

EXCERPT = 480  # tokens from the middle of the test text, each of which the report shows with its loss
PIECES = 40  # of the test text, for each of which the report shows what adaptation saves


def evaluate(
    network: Network, data: Path, facts: LanguageFacts, options: LanguageEvaluate, details: Path
) -> dict[str, float]:
    """Scores of the test split, read as one text.

    Writes into `details`: nats.npy, float32 (N,), the nats of every token; test_set.json, which states what text was
    scored; samples.json, excerpt.json and adapted.json.
    """
    adapted = adapt(network, data, facts.start, options)
    tokens = prepared.load_array(data, "test")
    nats = text_nats(network, tokens, facts.start)
    vocabulary = files.read_json(data / "vocabulary.json")
    prepared.save_array(details, "nats", nats)
    prepared.save_test_set(details, len(tokens), [json.dumps(vocabulary).encode(), tokens])
    files.write_json(details / "excerpt.json", _excerpt(tokens, nats, vocabulary, facts))
    files.write_json(details / "samples.json", _samples(network, vocabulary, facts, options))
    scores = metrics.summary(nats, unknown=facts.unknown["test"], token_kind=facts.token_kind)
    for method, result in adapted.items():
        scores |= metrics.adapted(method, result.nats, token_kind=facts.token_kind)
    if adapted:
        files.write_json(details / "adapted.json", _savings(nats, adapted))
    return scores


def _excerpt(tokens: np.ndarray, nats: np.ndarray, vocabulary: list[str], facts: LanguageFacts) -> dict[str, Any]:
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
    generated = generate(
        network,
        facts.start,
        count=options.samples,
        tokens=options.sample_tokens,
        sampling=Sampling(temperature=options.temperature),
        seed=1,
    )
    texts = [as_text(sample, vocabulary, facts) for sample in generated.tolist()]
    return {"temperature": options.temperature, "texts": texts}


def _savings(nats: np.ndarray, adapted: dict[str, Adapted]) -> dict[str, Any]:
    """For each method its settings and the mean nats per token that it saves in successive pieces of the text."""
    pieces = min(PIECES, len(nats))
    methods = {
        method: {
            "settings": asdict(result.settings),
            "saved": [round(float(piece.mean()), 4) for piece in np.array_split(nats - result.nats, pieces)],
        }
        for method, result in adapted.items()
    }
    return {"tokens": len(nats), "methods": methods}
