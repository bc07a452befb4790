"""Orders of images that are not labelled yet: which of them to label next.

Ties are decided by the order of the input, and what is random has a seed of its own, so the same
input gives the same order.
"""

from typing import Literal

import numpy as np
import torch
from sklearn.cluster import KMeans

from sightline.label_modes.base import LabelMode
from sightline.metrics.disagreement import entropy

Rank = Literal["uncertainty", "margin", "diversity", "coreset"]
OF_FEATURES = ("diversity", "coreset")
# What the score of an image is, by rank.
SCORES = {
    "uncertainty": "entropy in nats",
    "margin": "distance of the decision to another",
    "diversity": "images of its cluster",
    "coreset": "distance to what is labelled or chosen",
}
SEED = 0  # of k-means++


def by_probabilities(
    rank: Rank, label_mode: LabelMode, probs: np.ndarray, thresholds: tuple[float, ...] | None,
    budget: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Positions of the images that the model is least sure of, and their scores.

    Args:
        rank: uncertainty: the greatest entropy first, of several labels summed over them; margin:
            the least distance of a decision to another one first, of several labels the least.
        label_mode: of the model.
        probs: shape (N, C).
        thresholds: that decisions are taken with; None: the default rule.
        budget: how many at most.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(probs))
    if rank == "uncertainty":
        scores = entropy(label_mode.options(tensor).numpy())
        order = np.argsort(-scores, kind="stable")[:budget]
    else:
        scores = label_mode.margin(tensor, thresholds).double().numpy()
        order = np.argsort(scores, kind="stable")[:budget]
    return order, scores[order]


def farthest_first(
    features: np.ndarray, budget: int, labelled: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of images that cover the others, and how far each was from those before it.

    The greedy solution of the k-center problem (Gonzalez 1985), as used for active learning by
    Sener and Savarese (2018): the next image is the farthest from all that are labelled or chosen.

    Args:
        features: shape (N, D).
        budget: how many at most.
        labelled: shape (M, D), of images that are labelled; None: the first is the image nearest
            to the mean, and its distance is that.
    """
    points = features.astype(np.float64)
    order: list[int] = []
    scores: list[float] = []
    if labelled is None or len(labelled) == 0:
        away = np.linalg.norm(points - points.mean(axis=0), axis=1)
        order, scores = [int(away.argmin())], [float(away.min())]
        nearest = np.linalg.norm(points - points[order[0]], axis=1)
    else:
        nearest = np.full(len(points), np.inf)
        for center in labelled.astype(np.float64):
            nearest = np.minimum(nearest, np.linalg.norm(points - center, axis=1))
    taken = np.zeros(len(points), bool)
    taken[order] = True
    while len(order) < min(budget, len(points)):
        chosen = int(np.where(taken, -1.0, nearest).argmax())
        order.append(chosen)
        scores.append(float(nearest[chosen]))
        taken[chosen] = True
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen], axis=1))
    return np.array(order), np.array(scores)


def of_each_cluster(features: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the image nearest to the center of each of `budget` clusters, and their sizes.

    Clusters are those of k-means with k-means++ (Arthur and Vassilvitskii 2007), the largest first.
    Where fewer images differ than are wanted, equal ones follow in the order of the input.

    Args:
        features: shape (N, D).
        budget: how many at most.
    """
    points = features.astype(np.float64)
    distinct = len(np.unique(points, axis=0))
    found = KMeans(min(budget, distinct), n_init=1, random_state=SEED).fit(points)
    away = np.linalg.norm(points - found.cluster_centers_[found.labels_], axis=1)
    by_cluster = np.lexsort((np.arange(len(points)), away, found.labels_))
    labels, first = np.unique(found.labels_[by_cluster], return_index=True)
    sizes = np.bincount(found.labels_)[labels]
    nearest = by_cluster[first]
    largest = np.lexsort((nearest, -sizes))
    order, scores = nearest[largest], sizes[largest]
    rest = np.setdiff1d(np.arange(len(points)), order)[: max(0, budget - len(order))]
    return (
        np.concatenate([order, rest]).astype(np.int64),
        np.concatenate([scores, np.zeros(len(rest))]).astype(np.float64),
    )
