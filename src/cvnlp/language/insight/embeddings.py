"""Tables of a network's embeddings: nearest neighbours, a projection to a plane, cosines, and relations they encode."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cvnlp import files
from cvnlp.language.insight.embedding_geometry import (
    PAIRS,
    VOWELS,
    RelationScore,
    analogy_accuracy,
    cluster_accuracy,
    letters_in,
    nearest_neighbours,
    pairs_in,
    principal_components,
    unit_vectors,
)
from cvnlp.language.models import Recurrent
from cvnlp.params.insight import LanguageInsight

SIMILARITY_TOKENS = 16  # tokens of the table of cosines
RELATION_COLUMNS = ["relation", "vectors", "questions", "accuracy", "chance", "untrained"]


def save_embeddings(
    network: Recurrent, untrained: Recurrent, vocabulary: list[str], options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """Write neighbours.csv, projection.csv, similarity.csv and relations.csv; returns the accuracies of the last."""
    embeddings = embeddings_of(network)
    _save_neighbours(embeddings["input"], vocabulary, options, folder)
    _save_similarity(embeddings, vocabulary, folder)
    relations = _relations(embeddings, embeddings_of(untrained), vocabulary)
    files.write_table(folder / "relations.csv", relations)
    names = relations["relation"].str.replace(" ", "_") + "_" + relations["vectors"]
    return dict(zip(names, relations["accuracy"], strict=True))


def embeddings_of(network: Recurrent) -> dict[str, np.ndarray]:
    """The input embedding of every token (V, D), float64, and the output embedding if it is a matrix of its own."""
    found = {"input": network.embedding.weight}
    if isinstance(network.output, nn.Linear) and network.output.weight is not network.embedding.weight:
        found["output"] = network.output.weight
    return {name: weight.detach().cpu().double().numpy() for name, weight in found.items()}


def _relations(
    embeddings: dict[str, np.ndarray], untrained: dict[str, np.ndarray], vocabulary: list[str]
) -> pd.DataFrame:
    rows = [
        {"relation": relation, "vectors": name, **vars(score), "untrained": baseline.accuracy}
        for name, vectors in embeddings.items()
        for (relation, score), (_, baseline) in zip(
            _relation_scores(vectors, vocabulary), _relation_scores(untrained[name], vocabulary), strict=True
        )
    ]
    return pd.DataFrame(rows, columns=RELATION_COLUMNS)


def _relation_scores(vectors: np.ndarray, vocabulary: list[str]) -> Iterator[tuple[str, RelationScore]]:
    """For each relation of which the vocabulary has enough words."""
    for relation in PAIRS:
        pairs = pairs_in(vocabulary, relation)
        if len(pairs):
            yield relation, analogy_accuracy(vectors, pairs)
    letters, vowels = letters_in(vocabulary)
    if len(letters):
        yield "vowel or consonant", cluster_accuracy(vectors, letters, vowels)


def _save_neighbours(vectors: np.ndarray, vocabulary: list[str], options: LanguageInsight, folder: Path) -> None:
    """Of the most frequent tokens, without the unknown one, which is number 0."""
    directions = unit_vectors(vectors)
    frequent = range(1, min(options.words, len(vocabulary) - 1) + 1)
    rows = [
        {"token": vocabulary[index], "rank": rank, "neighbour": vocabulary[other], "cosine": cosine}
        for index in frequent
        for rank, (other, cosine) in enumerate(nearest_neighbours(directions, index, options.neighbours), start=1)
    ]
    files.write_table(folder / "neighbours.csv", pd.DataFrame(rows))
    places = principal_components(vectors[list(frequent)])
    table = pd.DataFrame({"token": [vocabulary[index] for index in frequent], "x": places[:, 0], "y": places[:, 1]})
    files.write_table(folder / "projection.csv", table)


def _save_similarity(embeddings: dict[str, np.ndarray], vocabulary: list[str], folder: Path) -> None:
    """The cosine of every pair of some tokens; that of different one-hot vectors is 0."""
    ids = similarity_tokens(vocabulary)
    cosines = {name: unit_vectors(vectors[ids]) @ unit_vectors(vectors[ids]).T for name, vectors in embeddings.items()}
    first, second = np.meshgrid([vocabulary[token] for token in ids], [vocabulary[token] for token in ids])
    table = pd.DataFrame({"token": second.ravel(), "other": first.ravel()})
    files.write_table(folder / "similarity.csv", table.assign(**{name: of.ravel() for name, of in cosines.items()}))


def similarity_tokens(vocabulary: list[str]) -> list[int]:
    """Token ids for the table of cosines.

    Vowels and frequent consonants, small and capital, if the vocabulary has all letters; else the first pairs of each
    relation; else the most frequent tokens.
    """
    letters, vowels = letters_in(vocabulary)
    if len(letters):
        consonants = np.sort(letters[~vowels])  # token ids are ordered by frequency
        small = [*letters[vowels], *consonants[: SIMILARITY_TOKENS // 2 - len(VOWELS)]]
        return [int(letter) for letter in small + _capitals(small, vocabulary)]
    pairs = [pairs_in(vocabulary, relation) for relation in PAIRS]
    several = [found[: SIMILARITY_TOKENS // 4] for found in pairs if len(found)]
    frequent = range(1, min(SIMILARITY_TOKENS + 1, len(vocabulary)))
    return list(dict.fromkeys(np.concatenate(several).ravel().tolist())) if several else list(frequent)


def _capitals(letters: list[int], vocabulary: list[str]) -> list[int]:
    capitals = (vocabulary[letter].upper() for letter in letters)
    return [vocabulary.index(capital) for capital in capitals if capital in vocabulary]
