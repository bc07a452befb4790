"""Greedy selection of an ensemble's members on val (Caruana et al. 2004)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.predictions import Predictions

ROUNDS = 25  # members that are added, some of them several times


@dataclass(frozen=True)
class Mean:
    """How the members' predictions are put together.

    Attributes:
        label_mode: of the tables.
        how: probs, the mean of probabilities; or logits.
    """

    label_mode: LabelMode
    how: str

    def of(self, tables: Sequence[Predictions], weights: np.ndarray) -> Predictions:
        """The weighted mean of tables of the same samples; weights sum to 1."""
        probs = [to_tensors(each)[0] for each in tables]
        pairs = list(zip(weights.tolist(), probs, strict=True))
        if self.how == "probs":
            mean = torch.stack([weight * each for weight, each in pairs]).sum(dim=0)
        else:
            logits = [weight * self.label_mode.logits(each) for weight, each in pairs]
            mean = self.label_mode.probs(torch.stack(logits).sum(dim=0))
        return replace(tables[0], probs=mean.to(torch.float32).numpy())


def greedy_weights(
    tables: Sequence[Predictions], mean: Mean, score: Callable[[Predictions], float],
    rounds: int = ROUNDS,
) -> np.ndarray:  # fmt: skip
    """Weights of the members, shape (M,), summing to 1: of the best of all rounds.

    Each round adds the member, with replacement, that makes the mean best; it starts empty.

    Args:
        tables: of val, one a member.
        mean: puts them together.
        score: of a table, higher is better.
        rounds: how many members are added.
    """
    counts = np.zeros(len(tables))
    best, kept = -np.inf, counts
    for _ in range(rounds):
        tried = [counts + one for one in np.eye(len(tables))]
        scores = [score(mean.of(tables, each / each.sum())) for each in tried]
        place = int(np.argmax(scores))
        counts = tried[place]
        if scores[place] > best:
            best, kept = scores[place], counts
    return np.asarray(kept / kept.sum())
