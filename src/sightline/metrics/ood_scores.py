"""Scores of how unlike the training images an image is; higher is more unlike.

msp: Hendrycks and Gimpel 2017; max_logit: Hendrycks et al. 2022; energy: Liu et al. 2020, of
several labels their sum (JointEnergy, Wang et al. 2021); knn: Sun et al. 2022; mahalanobis: Lee et
al. 2018, of the penultimate features alone; vim: Wang et al. 2022.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from sightline.errors import UserError

OF_LOGITS = ("msp", "max_logit", "energy")
OF_FEATURES = ("knn", "mahalanobis", "vim")
SCORES = (*OF_LOGITS, *OF_FEATURES)
NEIGHBOURS = 50
CHUNK = 512  # images whose distances are held at a time
LINEAR = 1e-2  # share of the logits' spread that a linear head leaves unexplained at most


@dataclass(frozen=True)
class ModelOutputs:
    """What a model says of N images.

    Attributes:
        logits: shape (N, num_outputs), double.
        features: penultimate ones, shape (N, D), double; empty where none were needed.
        head: weights (num_outputs, D) and bias (num_outputs,) that give the logits of the features,
            double; None where they are not known.
    """

    logits: np.ndarray
    features: np.ndarray
    head: tuple[np.ndarray, np.ndarray] | None = None


def score_of(
    name: str, given: ModelOutputs, train: ModelOutputs, targets: np.ndarray, exclusive: bool
) -> np.ndarray:
    """A score of images, shape (N,).

    Args:
        name: one of SCORES.
        given: of the images.
        train: of the training images.
        targets: of these, encoded.
        exclusive: whether the outputs compete (softmax), else each is yes or no.

    Raises:
        UserError: the labels or the model do not allow this score.
    """
    if name in OF_LOGITS:
        return score_of_logits(name, given.logits, exclusive)
    if name == "knn":
        return _neighbour_distance(given.features, train.features)
    if targets.ndim == 2:
        raise UserError(f"scores={name}: it needs one class an image, not several labels.")
    if name == "mahalanobis":
        return _mahalanobis(given.features, train.features, targets)
    return _virtual_logit(given, train)


def score_of_logits(name: str, logits: np.ndarray, exclusive: bool) -> np.ndarray:
    """A score of images from their logits alone, shape (N,).

    Args:
        name: one of OF_LOGITS.
        logits: shape (N, num_outputs), double.
        exclusive: whether the outputs compete (softmax), else each is yes or no.
    """
    if logits.shape[1] == 1:
        logits, exclusive = _of_two(logits), True
    if name == "max_logit":
        return np.asarray(-logits.max(axis=1))
    if name == "energy":
        if exclusive:
            return np.asarray(-logsumexp(logits, axis=1))
        return np.asarray(-np.logaddexp(0, logits).sum(axis=1))
    if exclusive:
        return np.asarray(-np.exp(logits.max(axis=1) - logsumexp(logits, axis=1)))
    return np.asarray(-1 / (1 + np.exp(-logits.max(axis=1))))


def _of_two(logits: np.ndarray) -> np.ndarray:
    """One logit of two classes as two that sum to 0: neither class is then the more unknown."""
    return np.hstack([-logits / 2, logits / 2])


def score_of_probs(probs: np.ndarray) -> np.ndarray:
    """The score msp of probabilities before calibration, (N, C), both of two classes; (N,)."""
    return -probs.max(axis=1).astype(np.float64)


def _neighbour_distance(given: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The distance to the k-th nearest training image, of features of length 1."""
    one, other = (each / (np.linalg.norm(each, axis=1, keepdims=True) + 1e-10)
                  for each in (given, train))  # fmt: skip
    k = min(NEIGHBOURS, len(other))
    found = []
    for start in range(0, len(one), CHUNK):
        squares = 2 - 2 * one[start : start + CHUNK] @ other.T
        found.append(np.sqrt(np.maximum(np.partition(squares, k - 1, axis=1)[:, k - 1], 0)))
    return np.concatenate(found) if found else np.empty(0)


def _mahalanobis(given: np.ndarray, train: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The least squared distance to a class's mean, by the covariance that classes share."""
    classes = np.unique(targets)
    means = np.stack([train[targets == each].mean(axis=0) for each in classes])
    centred = train - means[np.searchsorted(classes, targets)]
    precision = np.linalg.pinv(centred.T @ centred / len(train), hermitian=True)
    distances = []
    for mean in means:
        away = given - mean
        distances.append(((away @ precision) * away).sum(axis=1))
    return np.asarray(np.min(distances, axis=0))


def _virtual_logit(given: ModelOutputs, train: ModelOutputs) -> np.ndarray:
    """The residual outside the principal subspace, scaled as a logit, minus the logsumexp.

    Raises:
        UserError: the logits are no linear function of the features.
    """
    weights, bias = train.head or _fitted_head(train)
    logits, given_logits = train.logits, given.logits
    if logits.shape[1] == 1:
        logits, given_logits = _of_two(logits), _of_two(given_logits)
        weights, bias = np.vstack([-weights, weights]) / 2, np.hstack([-bias, bias]) / 2
    origin = -np.linalg.pinv(weights) @ bias
    away = train.features - origin
    _, directions = np.linalg.eigh(away.T @ away / len(away))  # the largest last
    residual = directions[:, : away.shape[1] - _principal(away.shape[1])]
    lengths = np.linalg.norm(away @ residual, axis=1)
    alpha = logits.max(axis=1).mean() / max(lengths.mean(), 1e-12)
    own = np.linalg.norm((given.features - origin) @ residual, axis=1)
    return np.asarray(alpha * own - logsumexp(given_logits, axis=1))


def _fitted_head(train: ModelOutputs) -> tuple[np.ndarray, np.ndarray]:
    """The linear head of least squares; of a feature that is always alike its weight is a guess."""
    ones = np.ones((len(train.logits), 1))
    head, *_ = np.linalg.lstsq(np.hstack([train.features, ones]), train.logits, rcond=None)
    weights, bias = head[:-1], head[-1]
    left = train.logits - train.features @ weights - bias
    if np.abs(left).max(initial=0) > LINEAR * (train.logits.std() + 1e-12):
        raise UserError(
            "scores=vim: it needs a linear head, but this model's logits are no linear function of "
            "its penultimate features."
        )
    return weights.T, bias


def _principal(width: int) -> int:
    """Dimensions of the principal subspace, as Wang et al. choose them."""
    return 1000 if width >= 2048 else 512 if width >= 768 else width // 2
