"""Which classes are confused with each other: an order that puts them together, and groups."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

MAX_OPTIMAL = 400  # classes: the best order of the leaves takes time that grows with their cube
APART = 0.8  # classes are grouped while a tenth of each one's samples goes to another on average


def confusion_order(counts: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Hierarchical clustering (average linkage) by the share of samples that two classes exchange.

    Args:
        counts: shape (C, C), targets by decisions.

    Returns:
        The classes' order, and the groups of two classes or more as (start, size) in it.
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
