"""k-means clustering (Lloyd 1982) from k-means++ starts (Arthur and Vassilvitskii 2007), and connected groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Array


def connected_groups(linked: NDArray[np.bool_]) -> list[list[int]]:
    """Groups of items that links (n, n) connect, each in ascending order."""
    from scipy.sparse.csgraph import connected_components

    n_groups, group_of = connected_components(linked)
    return [np.flatnonzero(group_of == group).tolist() for group in range(n_groups)]


def k_means(rows: Array, n_clusters: int, rng: np.random.Generator, n_rounds: int) -> tuple[Array, NDArray[np.int64]]:
    """Centres (n_clusters, n_features) and the cluster (n_rows,) of every row (n_rows, n_features).

    A cluster that loses all rows keeps its centre.
    """
    chosen = [int(rng.integers(len(rows)))]
    nearest = squared_distances(rows, rows[chosen]).ravel()
    while len(chosen) < n_clusters:
        total = nearest.sum()
        chosen.append(int(rng.choice(len(rows), p=nearest / total) if total > 0 else rng.integers(len(rows))))
        nearest = np.minimum(nearest, squared_distances(rows, rows[chosen[-1:]]).ravel())
    centres = rows[chosen]
    member = squared_distances(rows, centres).argmin(axis=1)
    for _ in range(n_rounds):
        one_hot = np.eye(n_clusters)[member]
        counts = one_hot.sum(axis=0)[:, None]
        centres = np.where(counts > 0, one_hot.T @ rows / np.maximum(counts, 1), centres)
        member = squared_distances(rows, centres).argmin(axis=1)
    return centres, member


def squared_distances(rows: Array, centres: Array) -> Array:
    """(n_rows, n_centres); the expanded square may round below zero."""
    squared = (rows**2).sum(axis=1)[:, None] - 2 * rows @ centres.T + (centres**2).sum(axis=1)
    return np.maximum(squared, 0)
