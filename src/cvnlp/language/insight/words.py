"""Words as vectors: which are near to which, and how they lie on a plane. One-hot vectors are all equally far."""

import numpy as np


def nearest(vectors: np.ndarray, index: int, count: int) -> list[tuple[int, float]]:
    """The `count` tokens of the smallest angle to token `index`, and its cosine; the unknown, number 0, is left out."""
    lengths = np.linalg.norm(vectors, axis=1).clip(min=1e-12)
    cosines = vectors @ vectors[index] / (lengths * lengths[index])
    cosines[[0, index]] = -np.inf
    best = np.argsort(-cosines, kind="stable")[: min(count, len(vectors) - 2)]
    return [(int(other), float(cosines[other])) for other in best]


def project(vectors: np.ndarray) -> np.ndarray:
    """The plane (N, 2) of principal components, on which vectors (N, D) differ most; signs are fixed."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = axes[:2]
    signs = np.sign(plane[np.arange(len(plane)), np.abs(plane).argmax(1)])
    return centred @ (plane * signs[:, None]).T
