"""Geometry of embeddings: nearest neighbours, principal components, analogies (A is to a as B is to what?).

Analogies are tested only if the vocabulary has enough of the words: English words in lower case, and letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

MIN_PAIRS = 8  # of a relation in the vocabulary: the accuracy of fewer is not meaningful
VOWELS = "aeiou"
PAIRS = {
    "uppercase to lowercase": " ".join(f"{letter.upper()} {letter}" for letter in ascii_lowercase),
    "male to female": """
        he she him her himself herself king queen man woman men women father mother son daughter brother sister lord
        lady husband wife prince princess boy girl uncle aunt duke duchess master mistress sir madam gentleman
        gentlewoman god goddess brothers sisters sons daughters fathers mothers lords ladies gentlemen gentlewomen
        count countess bridegroom bride grandfather grandmother nephew niece kings queens husbands wives widower
        widow actor actress boys girls his hers
    """,
    "singular to plural": """
        king kings lord lords day days eye eyes friend friends hand hands word words man men woman women heart
        hearts tear tears lady ladies brother brothers father fathers son sons daughter daughters night nights year
        years hour hours arm arms sword swords enemy enemies soldier soldiers tongue tongues lip lips name names
        thought thoughts book books house houses child children foot feet city cities dog dogs horse horses thing
        things part parts leg legs tree trees star stars month months company companies market markets bank banks
        country countries
    """,
}


@dataclass(frozen=True)
class RelationScore:
    """`accuracy`: share of the questions answered correctly; `chance`: the expected share of a random guess."""

    questions: int
    accuracy: float
    chance: float


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) scaled to the length 1, so that products are cosines; zero vectors stay zero."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)


def nearest_neighbours(directions: np.ndarray, index: int, count: int) -> list[tuple[int, float]]:
    """The `count` tokens with the largest cosine to token `index`, and the cosine, of unit vectors (V, D).

    The unknown token, number 0, is left out.
    """
    cosines = directions @ directions[index]
    cosines[[0, index]] = -np.inf
    best = np.argsort(-cosines, kind="stable")[: min(count, len(directions) - 2)]
    return [(int(other), float(cosines[other])) for other in best]


def principal_components(vectors: np.ndarray) -> np.ndarray:
    """Coordinates (N, 2) of vectors (N, D) on their first two principal components, with fixed signs."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = axes[:2]
    signs = np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])
    return centred @ (plane * signs[:, None]).T


def pairs_in(vocabulary: Sequence[str], relation: str) -> np.ndarray:
    """Token ids (P, 2) of the pairs of a relation whose words are both in the vocabulary; none if too few."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    words = PAIRS[relation].split()
    known = [pair for pair in zip(words[::2], words[1::2], strict=True) if ids.keys() >= set(pair)]
    pairs = [[ids[word] for word in pair] for pair in known] if len(known) >= MIN_PAIRS else []
    return np.array(pairs, dtype=int).reshape(-1, 2)


def letters_in(vocabulary: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids (N,) of the small letters, and whether each is a vowel; none unless all 26 are in the vocabulary."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    letters = ascii_lowercase if ids.keys() >= set(ascii_lowercase) else ""
    return np.array([ids[letter] for letter in letters], dtype=int), np.array([letter in VOWELS for letter in letters])


def analogy_accuracy(vectors: np.ndarray, pairs: np.ndarray) -> RelationScore:
    """Answer A : a = B : ? for all pairs of pairs (P, 2) with the token of the largest cosine to a - A + B.

    a, A, B and the unknown token, number 0, are excluded as answers (Mikolov et al. 2013).
    """
    directions = unit_vectors(vectors)
    products, correct = directions[pairs] @ directions.T, 0  # of A and a with all tokens (P, 2, V)
    for number, ((one, other), (of_one, of_other)) in enumerate(zip(pairs, products, strict=True)):
        questions = np.delete(pairs, number, axis=0)
        cosines = of_other - of_one + np.delete(products[:, 0], number, axis=0)
        cosines[:, [0, one, other]] = -np.inf
        cosines[np.arange(len(questions)), questions[:, 0]] = -np.inf
        correct += int((cosines.argmax(1) == questions[:, 1]).sum())
    count = len(pairs) * (len(pairs) - 1)
    return RelationScore(count, correct / count, 1 / (len(vectors) - 4))


def cluster_accuracy(vectors: np.ndarray, members: np.ndarray, kinds: np.ndarray) -> RelationScore:
    """Whether the nearest neighbour of each member (N,) among the members is of the same kind (N,)."""
    directions = unit_vectors(vectors[members])
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    count = len(members)
    alike = (kinds[:, None] == kinds).sum() - count
    return RelationScore(count, float((kinds[cosines.argmax(1)] == kinds).mean()), float(alike / (count * (count - 1))))
