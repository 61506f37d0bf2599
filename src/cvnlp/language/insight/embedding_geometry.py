"""Whether vectors hold relations that nobody taught: A is to a as B is to what? And whether like is near to like.

Asked only where the vocabulary has enough of the words: English ones, in small letters, and the letters themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from cvnlp.language.insight.token_projection import units

LEAST_PAIRS = 8  # of a relation, that are in the vocabulary: fewer prove nothing
VOWELS = "aeiou"
PAIRS = {
    "capital to small letter": " ".join(f"{letter.upper()} {letter}" for letter in ascii_lowercase),
    "he to she": """
        he she him her himself herself king queen man woman men women father mother son daughter brother sister lord
        lady husband wife prince princess boy girl uncle aunt duke duchess master mistress sir madam gentleman
        gentlewoman god goddess brothers sisters sons daughters fathers mothers lords ladies gentlemen gentlewomen
        count countess bridegroom bride grandfather grandmother nephew niece kings queens husbands wives widower
        widow actor actress boys girls his hers
    """,
    "one to several": """
        king kings lord lords day days eye eyes friend friends hand hands word words man men woman women heart
        hearts tear tears lady ladies brother brothers father fathers son sons daughter daughters night nights year
        years hour hours arm arms sword swords enemy enemies soldier soldiers tongue tongues lip lips name names
        thought thoughts book books house houses child children foot feet city cities dog dogs horse horses thing
        things part parts leg legs tree trees star stars month months company companies market markets bank banks
        country countries
    """,
}


@dataclass(frozen=True)
class Asked:
    """How many of the questions are answered rightly, and how many a guess would on average, as shares."""

    questions: int
    accuracy: float
    chance: float


def known_pairs(relation: str, vocabulary: Sequence[str]) -> np.ndarray:
    """The pairs (P, 2) of a relation whose words are both in the vocabulary; none if they are too few."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    words = PAIRS[relation].split()
    known = [pair for pair in zip(words[::2], words[1::2], strict=True) if ids.keys() >= set(pair)]
    pairs = [[ids[word] for word in pair] for pair in known] if len(known) >= LEAST_PAIRS else []
    return np.array(pairs, dtype=int).reshape(-1, 2)


def ask_analogies(vectors: np.ndarray, pairs: np.ndarray) -> Asked:
    """A : a = B : ? for all pairs of pairs (P, 2), answered by what has the smallest angle to a - A + B.

    a, A, B and the unknown, number 0, are no answers (Mikolov et al. 2013).
    """
    directions = units(vectors)
    products, right = directions[pairs] @ directions.T, 0  # of A and a with all words (P, 2, V)
    for number, ((one, other), (of_one, of_other)) in enumerate(zip(pairs, products, strict=True)):
        asked = np.delete(pairs, number, axis=0)
        cosines = of_other - of_one + np.delete(products[:, 0], number, axis=0)
        cosines[:, [0, one, other]] = -np.inf
        cosines[np.arange(len(asked)), asked[:, 0]] = -np.inf
        right += int((cosines.argmax(1) == asked[:, 1]).sum())
    questions = len(pairs) * (len(pairs) - 1)
    return Asked(questions, right / questions, 1 / (len(vectors) - 4))


def known_letters(vocabulary: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The small letters (N,) of the vocabulary, and whether each is a vowel; none unless all 26 are in it."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    letters = ascii_lowercase if ids.keys() >= set(ascii_lowercase) else ""
    return np.array([ids[letter] for letter in letters], dtype=int), np.array([letter in VOWELS for letter in letters])


def ask_kinds(vectors: np.ndarray, members: np.ndarray, kinds: np.ndarray) -> Asked:
    """Whether the member with the smallest angle to each (N,) is of the same of two kinds (N,)."""
    directions = units(vectors[members])
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    count = len(members)
    alike = (kinds[:, None] == kinds).sum() - count
    return Asked(count, float((kinds[cosines.argmax(1)] == kinds).mean()), float(alike / (count * (count - 1))))
