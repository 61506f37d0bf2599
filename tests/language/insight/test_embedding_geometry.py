"""Questions to vectors, of which the answers are planted."""

from string import ascii_letters, ascii_lowercase

import numpy as np
import pytest

from cvnlp.language.insight.embedding_geometry import (
    LEAST_PAIRS,
    PAIRS,
    ask_analogies,
    ask_kinds,
    known_letters,
    known_pairs,
)

LETTERS = ["<unk>", "\n", *ascii_letters]


def plant(noise: float = 0.0) -> np.ndarray:
    """Vectors of LETTERS in which each letter has one direction, and the capitals one more in common."""
    vectors = np.zeros((len(LETTERS), 30))
    vectors[:2, 27] = 1.0
    for letter in ascii_lowercase:
        place = ascii_lowercase.index(letter)
        vectors[LETTERS.index(letter)] = vectors[LETTERS.index(letter.upper())] = np.eye(30)[place]
        vectors[LETTERS.index(letter.upper()), 29] = 1.0
    return vectors + noise * np.random.default_rng(0).normal(size=vectors.shape)


def test_a_relation_that_is_one_direction_answers_every_question() -> None:
    asked = ask_analogies(plant(), known_pairs("capital to small letter", LETTERS))
    assert asked.questions == 26 * 25
    assert asked.accuracy == 1
    assert asked.chance == pytest.approx(1 / (len(LETTERS) - 4))


def test_vectors_by_chance_answer_as_a_guess_does() -> None:
    pairs = known_pairs("capital to small letter", LETTERS)
    generator = np.random.default_rng(0)
    found = [ask_analogies(generator.normal(size=(len(LETTERS), 30)), pairs).accuracy for _ in range(10)]
    assert np.mean(found) < 0.06


def test_an_answer_is_none_of_the_words_of_the_question() -> None:
    """With all vectors of a pair nearly alike, a - A + B is nearest to B itself, and next to b."""
    vectors = plant(noise=1e-3)
    vectors[:, 29] *= 1e-3
    assert ask_analogies(vectors, known_pairs("capital to small letter", LETTERS)).accuracy > 0.9


def test_analogies_are_asked_as_one_question_after_the_other() -> None:
    vectors, pairs = plant(noise=0.4), known_pairs("capital to small letter", LETTERS)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = 0
    for one, other in pairs.tolist():
        for third, answer in pairs.tolist():
            if third != one:
                cosines = units @ (units[other] - units[one] + units[third])
                cosines[[0, one, other, third]] = -np.inf
                right += cosines.argmax() == answer
    assert 0 < right < 650
    assert ask_analogies(vectors, pairs).accuracy == right / 650


def test_pairs_are_those_whose_words_are_both_known() -> None:
    words = ["<unk>", *PAIRS["he to she"].split()]
    pairs = known_pairs("he to she", [word for word in words if word != "queen"])
    assert len(pairs) == len(PAIRS["he to she"].split()) // 2 - 1
    assert words.index("king") not in pairs


def test_too_few_pairs_are_none() -> None:
    words = ["<unk>", *PAIRS["he to she"].split()[: 2 * LEAST_PAIRS]]
    assert len(known_pairs("he to she", words)) == LEAST_PAIRS
    assert known_pairs("he to she", words[:-1]).shape == (0, 2)


@pytest.mark.parametrize("relation", PAIRS)
def test_every_relation_is_pairs_of_which_none_stands_twice(relation: str) -> None:
    words = PAIRS[relation].split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert len(set(pairs)) == len(pairs) >= LEAST_PAIRS
    assert all(one != other for one, other in pairs)


def test_letters_that_lie_by_their_kind_are_all_told_apart() -> None:
    letters, vowels = known_letters(LETTERS)
    assert [LETTERS[letter] for letter in letters] == list(ascii_lowercase)
    assert [LETTERS[letter] for letter in letters[vowels]] == list("aeiou")
    vectors = np.random.default_rng(0).normal(size=(len(LETTERS), 20))
    vectors[letters[vowels], 0] += 20
    vectors[letters[~vowels], 0] -= 20
    asked = ask_kinds(vectors, letters, vowels)
    assert (asked.questions, asked.accuracy) == (26, 1)
    assert asked.chance == pytest.approx((5 * 4 + 21 * 20) / (26 * 25))


def test_an_alphabet_that_is_not_whole_is_not_asked() -> None:
    assert len(known_letters(LETTERS[:20])[0]) == 0
