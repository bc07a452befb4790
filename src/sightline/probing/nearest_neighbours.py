"""Weighted nearest neighbours of features (Wu et al. 2018; Caron et al. 2021), without training.

Features are scaled to a length of 1. A neighbour of cosine similarity s votes with exp(s / T) for
its labels; the votes of the k nearest, divided by their sum, are the probabilities.
"""

from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sightline.label_modes.base import LabelMode
from sightline.probing.fitted import FittedProbe, Labelled, Setting, edges
from sightline.probing.judge import Judge

NEIGHBOURS = (1, 5, 10, 20, 50, 100, 200)
TEMPERATURES = (0.02, 0.07, 0.2)
BLOCK = 2**24  # values of the votes that are held at a time
SIMILARITIES = 2**25  # likewise of the similarities


def fit_neighbours(
    train: Labelled, val: Labelled, judge: Judge, fixed: Setting | None, seed: int
) -> FittedProbe:
    """Choose k and T on val; see `Probe`."""
    lists: dict[str, tuple[float, ...]] = {
        "k": tuple(k for k in NEIGHBOURS if k <= len(train)), "temperature": TEMPERATURES,
    }  # fmt: skip
    if fixed is not None:
        lists = {"k": (min(fixed["k"], len(train)),), "temperature": (fixed["temperature"],)}
    settings = list(product(*lists.values()))
    votes = Votes(judge.mode, train, int(max(lists["k"])))
    found = votes.of(val.features, settings)
    scores = [judge.score(each) for each in found]
    k, temperature = settings[max(range(len(settings)), key=lambda i: scores[i])]
    chosen = {"k": int(k), "temperature": temperature}
    tried = [
        {"k": int(each[0]), "temperature": each[1], **judge.row(score)}
        for each, score in zip(settings, scores, strict=True)
    ]
    return FittedProbe(
        lambda features: votes.of(features, [(k, temperature)])[0], chosen,
        edges(chosen, lists), tried,
    )  # fmt: skip


class Votes:
    """The votes of the nearest of some samples.

    Args:
        mode: of the targets.
        train: the samples.
        most: neighbours that are looked at.
    """

    def __init__(self, mode: LabelMode, train: Labelled, most: int) -> None:
        self.most = most
        self.directions = normalize(torch.from_numpy(train.features))
        shares = mode.soft(torch.from_numpy(train.targets)).float()
        self.known = ~shares.isnan()
        self.shares = shares.nan_to_num()
        # Where no neighbour's label is known, its share over train stands in.
        self.prior = self.shares.sum(0) / self.known.sum(0).clamp(min=1)

    def of(self, features: np.ndarray, settings: list[tuple[float, ...]]) -> list[np.ndarray]:
        """Probabilities (N, C), float32, for each pair of k and temperature."""
        rows = max(1, min(SIMILARITIES // len(self.directions),
                          BLOCK // (self.most * self.shares.shape[1])))  # fmt: skip
        parts: list[list[Tensor]] = [[] for _ in settings]
        for block in normalize(torch.from_numpy(features)).split(rows):
            similarity, nearest = (block @ self.directions.T).topk(self.most, dim=1)
            shares, known = self.shares[nearest], self.known[nearest]
            for part, (k, temperature) in zip(parts, settings, strict=True):
                part.append(self._shares(similarity, shares, known, int(k), temperature))
        return [torch.cat(part).numpy() for part in parts]

    def _shares(
        self, similarity: Tensor, shares: Tensor, known: Tensor, k: int, temperature: float
    ) -> Tensor:
        own = similarity[:, :k]
        weights = ((own - own[:, :1]) / temperature).exp()[:, None]  # the largest is 1
        votes = (weights @ shares[:, :k]).squeeze(1)
        total = (weights @ known[:, :k].float()).squeeze(1)
        return torch.where(total > 0, votes / total.clamp(min=1e-30), self.prior).clamp(0, 1)
