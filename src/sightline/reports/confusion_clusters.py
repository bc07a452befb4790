"""Clusters of confused classes: an order of classes that puts them together, and groups."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

MAX_OPTIMAL = 400  # classes: optimal leaf ordering takes time that grows with their cube
# Distance at which clusters are cut: on average a tenth of a class's samples goes to the other.
APART = 0.8


def confusion_order(counts: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Hierarchical clustering (average linkage) by the shares of samples that two classes exchange.

    Args:
        counts: shape (C, C), rows are targets, columns are decisions.

    Returns:
        The order of the classes, shape (C,), and groups of at least two as (start, size) in it.
    """
    rows = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distance = np.clip(1 - (rows + rows.T), 0, 1)
    np.fill_diagonal(distance, 0)
    tree = linkage(
        squareform(distance, checks=False), "average", optimal_ordering=len(counts) <= MAX_OPTIMAL
    )
    order = leaves_list(tree)
    labels = fcluster(tree, APART, "distance")[order]
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
    sizes = np.diff(starts, append=len(labels))
    return order, [
        (int(start), int(size)) for start, size in zip(starts, sizes, strict=True) if size > 1
    ]
