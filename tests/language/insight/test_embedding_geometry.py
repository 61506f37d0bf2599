"""Geometry of embeddings, on vectors whose neighbours, components and relations are known."""

from string import ascii_letters, ascii_lowercase

import numpy as np
import pytest

from cvnlp.language.insight.embedding_geometry import (
    MIN_PAIRS,
    PAIRS,
    analogy_accuracy,
    cluster_accuracy,
    letters_in,
    nearest_neighbours,
    pairs_in,
    principal_components,
    unit_vectors,
)

LETTERS = ["<unk>", "\n", *ascii_letters]
VECTORS = unit_vectors(np.array([[1.0, 0.0], [1.0, 0.1], [2.0, 0.3], [0.0, 1.0], [-1.0, 0.0]]))


# Neighbours and principal components ----------------------------------------------------------------------------------


def test_nearest_neighbours_have_the_smallest_angle_at_any_length() -> None:
    assert [index for index, _ in nearest_neighbours(VECTORS, 1, 3)] == [2, 3, 4]  # 0 is the unknown token


def test_cosine_of_a_neighbour() -> None:
    ((_, cosine),) = nearest_neighbours(VECTORS, 3, 1)
    assert cosine == pytest.approx(0.3 / np.hypot(2, 0.3))


def test_unit_vectors_have_the_length_1_except_zeros() -> None:
    assert unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_number_of_neighbours_is_limited_by_the_vocabulary() -> None:
    assert len(nearest_neighbours(VECTORS, 1, 100)) == 3


def test_one_hot_vectors_are_equally_distant() -> None:
    assert {cosine for _, cosine in nearest_neighbours(np.eye(6), 2, 4)} == {0.0}


def test_vectors_in_a_plane_keep_their_distances() -> None:
    generator = np.random.default_rng(0)
    flat = generator.normal(size=(20, 2))
    turned = flat @ np.linalg.qr(generator.normal(size=(7, 7)))[0][:2]
    places = principal_components(turned)
    for first, second in ((0, 1), (3, 7), (19, 4)):
        assert np.linalg.norm(places[first] - places[second]) == pytest.approx(
            np.linalg.norm(flat[first] - flat[second])
        )


def test_first_component_has_the_larger_variance() -> None:
    places = principal_components(np.random.default_rng(0).normal(size=(50, 9)) * np.arange(1, 10))
    assert places[:, 0].std() > places[:, 1].std()
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-12)


def test_signs_of_the_components_are_fixed() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5))
    assert principal_components(vectors).tolist() == principal_components(vectors.copy()).tolist()


# Relations


def plant(noise: float = 0.0) -> np.ndarray:
    """Vectors of LETTERS: one direction for each letter, and one that all capitals share."""
    vectors = np.zeros((len(LETTERS), 30))
    vectors[:2, 27] = 1.0
    for letter in ascii_lowercase:
        place = ascii_lowercase.index(letter)
        vectors[LETTERS.index(letter)] = vectors[LETTERS.index(letter.upper())] = np.eye(30)[place]
        vectors[LETTERS.index(letter.upper()), 29] = 1.0
    return vectors + noise * np.random.default_rng(0).normal(size=vectors.shape)


def test_relation_that_is_one_direction_solves_every_analogy() -> None:
    score = analogy_accuracy(plant(), pairs_in(LETTERS, "uppercase to lowercase"))
    assert score.questions == 26 * 25
    assert score.accuracy == 1
    assert score.chance == pytest.approx(1 / (len(LETTERS) - 4))


def test_random_vectors_are_no_better_than_a_guess() -> None:
    pairs = pairs_in(LETTERS, "uppercase to lowercase")
    generator = np.random.default_rng(0)
    found = [analogy_accuracy(generator.normal(size=(len(LETTERS), 30)), pairs).accuracy for _ in range(10)]
    assert np.mean(found) < 0.06


def test_words_of_the_question_are_excluded_as_answers() -> None:
    """Where both vectors of a pair are nearly equal, the nearest to a - A + B is B itself, then b."""
    vectors = plant(noise=1e-3)
    vectors[:, 29] *= 1e-3
    assert analogy_accuracy(vectors, pairs_in(LETTERS, "uppercase to lowercase")).accuracy > 0.9


def test_analogies_equal_those_computed_one_by_one() -> None:
    vectors, pairs = plant(noise=0.4), pairs_in(LETTERS, "uppercase to lowercase")
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = 0
    for one, other in pairs.tolist():
        for third, answer in pairs.tolist():
            if third != one:
                cosines = units @ (units[other] - units[one] + units[third])
                cosines[[0, one, other, third]] = -np.inf
                right += cosines.argmax() == answer
    assert 0 < right < 650
    assert analogy_accuracy(vectors, pairs).accuracy == right / 650


def test_pairs_have_both_words_in_the_vocabulary() -> None:
    words = ["<unk>", *PAIRS["male to female"].split()]
    pairs = pairs_in([word for word in words if word != "queen"], "male to female")
    assert len(pairs) == len(PAIRS["male to female"].split()) // 2 - 1
    assert words.index("king") not in pairs


def test_relation_with_too_few_pairs_is_left_out() -> None:
    words = ["<unk>", *PAIRS["male to female"].split()[: 2 * MIN_PAIRS]]
    assert len(pairs_in(words, "male to female")) == MIN_PAIRS
    assert pairs_in(words[:-1], "male to female").shape == (0, 2)


@pytest.mark.parametrize("relation", PAIRS)
def test_every_relation_has_distinct_pairs(relation: str) -> None:
    words = PAIRS[relation].split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert len(set(pairs)) == len(pairs) >= MIN_PAIRS
    assert all(one != other for one, other in pairs)


def test_separated_vowels_and_consonants_are_classified_correctly() -> None:
    letters, vowels = letters_in(LETTERS)
    assert [LETTERS[letter] for letter in letters] == list(ascii_lowercase)
    assert [LETTERS[letter] for letter in letters[vowels]] == list("aeiou")
    vectors = np.random.default_rng(0).normal(size=(len(LETTERS), 20))
    vectors[letters[vowels], 0] += 20
    vectors[letters[~vowels], 0] -= 20
    score = cluster_accuracy(vectors, letters, vowels)
    assert (score.questions, score.accuracy) == (26, 1)
    assert score.chance == pytest.approx((5 * 4 + 21 * 20) / (26 * 25))


def test_incomplete_alphabet_has_no_letters() -> None:
    assert len(letters_in(LETTERS[:20])[0]) == 0
