"""Words as vectors: which are near to which, and how they lie on a plane. One-hot vectors are all equally far."""

import numpy as np


def units(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) at the length 1, whose products are cosines; a vector of zeros stays one."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)


def nearest(directions: np.ndarray, index: int, count: int) -> list[tuple[int, float]]:
    """The `count` tokens of the smallest angle to token `index`, and its cosine, of vectors of length 1.

    The unknown, number 0, is left out.
    """
    cosines = directions @ directions[index]
    cosines[[0, index]] = -np.inf
    best = np.argsort(-cosines, kind="stable")[: min(count, len(directions) - 2)]
    return [(int(other), float(cosines[other])) for other in best]


def project(vectors: np.ndarray) -> np.ndarray:
    """The plane (N, 2) of principal components, on which vectors (N, D) differ most; signs are fixed."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = axes[:2]
    signs = np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])
    return centred @ (plane * signs[:, None]).T
