"""Words as vectors: near is near, and the plane is that of the principal components."""

import numpy as np
import pytest

from cvnlp.language.insight.token_projection import nearest, project, units

VECTORS = units(np.array([[1.0, 0.0], [1.0, 0.1], [2.0, 0.3], [0.0, 1.0], [-1.0, 0.0]]))


def test_nearest_is_the_smallest_angle_whatever_the_length() -> None:
    assert [index for index, _ in nearest(VECTORS, 1, 3)] == [2, 3, 4]  # not 0: that is the unknown token


def test_cosine_is_that_of_the_angle() -> None:
    ((_, cosine),) = nearest(VECTORS, 3, 1)
    assert cosine == pytest.approx(0.3 / np.hypot(2, 0.3))


def test_unit_vectors_have_the_length_1_but_for_zeros() -> None:
    assert units(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_no_more_neighbours_than_there_are() -> None:
    assert len(nearest(VECTORS, 1, 100)) == 3


def test_one_hot_vectors_have_no_neighbour_nearer_than_another() -> None:
    assert {cosine for _, cosine in nearest(np.eye(6), 2, 4)} == {0.0}


def test_plane_keeps_the_distances_of_vectors_that_lie_in_one() -> None:
    generator = np.random.default_rng(0)
    flat = generator.normal(size=(20, 2))
    turned = flat @ np.linalg.qr(generator.normal(size=(7, 7)))[0][:2]
    places = project(turned)
    for first, second in ((0, 1), (3, 7), (19, 4)):
        assert np.linalg.norm(places[first] - places[second]) == pytest.approx(
            np.linalg.norm(flat[first] - flat[second])
        )


def test_first_direction_has_the_larger_spread() -> None:
    places = project(np.random.default_rng(0).normal(size=(50, 9)) * np.arange(1, 10))
    assert places[:, 0].std() > places[:, 1].std()
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-12)


def test_turning_the_sign_of_all_vectors_turns_no_picture_by_chance() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 5))
    assert project(vectors).tolist() == project(vectors.copy()).tolist()
