"""The tables of a network's vectors: what lies near to what, on a plane, and which relations they hold."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cvnlp import files
from cvnlp.language.insight.embedding_geometry import (
    PAIRS,
    VOWELS,
    Asked,
    ask_analogies,
    ask_kinds,
    known_letters,
    known_pairs,
)
from cvnlp.language.insight.token_projection import nearest, project, units
from cvnlp.language.models import Recurrent
from cvnlp.params.insight import LanguageInsight

SIMILAR = 16  # tokens whose vectors are compared with each other
RELATIONS = ["relation", "vectors", "questions", "accuracy", "chance", "before"]


def save_vectors(
    network: Recurrent, fresh: Recurrent, vocabulary: list[str], options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """neighbours.csv, projection.csv, similarity.csv and relations.csv into `folder`; returns the last one's, flat."""
    trained, before = vectors_of(network), vectors_of(fresh)
    _save_words(trained["read"], vocabulary, options, folder)
    _save_similarity(trained, vocabulary, folder)
    rows = [
        {"relation": relation, "vectors": name, **vars(asked), "before": untrained.accuracy}
        for name, vectors in trained.items()
        for (relation, asked), (_, untrained) in zip(
            _ask(vectors, vocabulary), _ask(before[name], vocabulary), strict=True
        )
    ]
    table = pd.DataFrame(rows, columns=RELATIONS)
    files.write_table(folder / "relations.csv", table)
    names = table["relation"].str.replace(" ", "_") + "_" + table["vectors"]
    return dict(zip(names, table["accuracy"], strict=True))


def vectors_of(network: Recurrent) -> dict[str, np.ndarray]:
    """Of every token (V, D) the vector by which it is read, and the one by which it is written, where it is another."""
    found = {"read": network.embedding.weight}
    if isinstance(network.output, nn.Linear) and network.output.weight is not network.embedding.weight:
        found["written"] = network.output.weight
    return {name: weight.detach().cpu().double().numpy() for name, weight in found.items()}


def _ask(vectors: np.ndarray, vocabulary: list[str]) -> Iterator[tuple[str, Asked]]:
    """All relations of which the vocabulary has enough."""
    for relation in PAIRS:
        pairs = known_pairs(relation, vocabulary)
        if len(pairs):
            yield relation, ask_analogies(vectors, pairs)
    letters, vowels = known_letters(vocabulary)
    if len(letters):
        yield "vowel or consonant", ask_kinds(vectors, letters, vowels)


def _save_words(vectors: np.ndarray, vocabulary: list[str], options: LanguageInsight, folder: Path) -> None:
    """The most frequent tokens; the unknown, number 0, is left out."""
    directions = units(vectors)
    frequent = range(1, min(options.words, len(vocabulary) - 1) + 1)
    rows = [
        {"token": vocabulary[index], "rank": rank, "neighbour": vocabulary[other], "cosine": cosine}
        for index in frequent
        for rank, (other, cosine) in enumerate(nearest(directions, index, options.neighbours), start=1)
    ]
    files.write_table(folder / "neighbours.csv", pd.DataFrame(rows))
    places = project(vectors[list(frequent)])
    table = pd.DataFrame({"token": [vocabulary[index] for index in frequent], "x": places[:, 0], "y": places[:, 1]})
    files.write_table(folder / "projection.csv", table)


def _save_similarity(vectors: dict[str, np.ndarray], vocabulary: list[str], folder: Path) -> None:
    """The cosine of each two of some tokens; of their one-hot vectors it would be 0."""
    shown = similar_tokens(vocabulary)
    cosines = {name: units(of_kind[shown]) @ units(of_kind[shown]).T for name, of_kind in vectors.items()}
    first, second = np.meshgrid([vocabulary[token] for token in shown], [vocabulary[token] for token in shown])
    table = pd.DataFrame({"token": second.ravel(), "other": first.ravel()})
    files.write_table(folder / "similarity.csv", table.assign(**{name: of.ravel() for name, of in cosines.items()}))


def _capitals(letters: list[int], vocabulary: list[str]) -> list[int]:
    capitals = (vocabulary[letter].upper() for letter in letters)
    return [vocabulary.index(capital) for capital in capitals if capital in vocabulary]


def similar_tokens(vocabulary: list[str]) -> list[int]:
    """The vowels and some frequent consonants, small and, where they are known, capital; or the first pairs of each
    relation; or, where there are none, the most frequent tokens.
    """
    letters, vowels = known_letters(vocabulary)
    if len(letters):
        consonants = np.sort(letters[~vowels])  # tokens are numbered by how frequent they are
        small = [*letters[vowels], *consonants[: SIMILAR // 2 - len(VOWELS)]]
        return [int(letter) for letter in small + _capitals(small, vocabulary)]
    pairs = [known_pairs(relation, vocabulary) for relation in PAIRS]
    several = [found[: SIMILAR // 4] for found in pairs if len(found)]
    frequent = range(1, min(SIMILAR + 1, len(vocabulary)))
    return list(dict.fromkeys(np.concatenate(several).ravel().tolist())) if several else list(frequent)
