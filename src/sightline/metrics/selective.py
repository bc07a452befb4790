"""Selective prediction: how sure each answer is, and the risk of the surest ones over coverage.

El-Yaniv and Wiener (2010), "On the Foundations of Noise-free Selective Classification"; Geifman and
El-Yaniv (2017), "Selective Classification for Deep Neural Networks". Neither torchmetrics nor
scikit-learn has it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import Thresholds


def certainty(
    label_mode: LabelMode, probs: Tensor, decided: Tensor, thresholds: Thresholds = None
) -> Tensor:
    """How sure each answer is: the probability of what is decided, shape (N, A), double.

    Of an answer with a threshold t the odds are divided by those of t, so that what lies on the
    threshold is as unsure (0.5) for each label.

    Args:
        label_mode: of the probabilities.
        probs: shape (N, C).
        decided: in the form of targets.
        thresholds: over which a probability is a yes; None for 0.5.
    """
    options = label_mode.options(probs)
    if thresholds is not None:
        over = torch.tensor(thresholds, dtype=torch.float64)
        weighed = options * torch.stack([over, 1 - over], dim=-1)
        total = weighed.sum(dim=-1, keepdim=True)
        options = torch.where(total > 0, weighed / total, 0.5)
    places = decided.reshape(*options.shape[:-1], 1).long()
    return options.gather(-1, places)[..., 0]


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve of M weighted answers, from the surest on, a point for each tie.

    Attributes:
        answered: weight of the answers that are at least as sure as each point, shape (T,).
        wrong: of these, of those that are wrong.
        certainty: of each point.
    """

    answered: np.ndarray
    wrong: np.ndarray
    certainty: np.ndarray

    @classmethod
    def of(cls, sure: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """The curve of certainties (M,) and outcomes (M,); weights: (M,), or None for 1."""
        order = np.argsort(-sure, kind="stable")
        each = np.ones(len(sure)) if weights is None else weights[order].astype(np.float64)
        ranked = sure[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))[: len(ranked)]
        answered, wrong = np.cumsum(each)[ends], np.cumsum(each * ~right[order].astype(bool))[ends]
        there = answered > 0
        return cls(answered[there], wrong[there], ranked[ends][there])

    @property
    def coverage(self) -> np.ndarray:
        """Share of answers at each point, shape (T,), in (0, 1]."""
        return np.asarray(self.answered / self.answered[-1])

    @property
    def risk(self) -> np.ndarray:
        """Share of the answers up to each point that are wrong, shape (T,)."""
        return np.asarray(self.wrong / self.answered)

    def area(self) -> float:
        """The mean over all answers of the risk of those that are at least as sure; NaN of none."""
        if not len(self.answered):
            return float("nan")
        return float((np.diff(self.answered, prepend=0) * self.risk).sum() / self.answered[-1])

    def risk_at(self, coverage: float) -> float:
        """The risk of the surest answers, rounded up to a whole one; NaN of none.

        Of a tie that is cut, the mean over its orders.
        """
        if not len(self.answered):
            return float("nan")
        number = self._number(coverage)
        wrong = np.interp(number, np.append(0, self.answered), np.append(0, self.wrong))
        return float(wrong / number)

    def chosen_at(self, coverage: float, sure: np.ndarray) -> np.ndarray:
        """How much of each answer is among those surest ones, in [0, 1], of the shape of `sure`."""
        number = self._number(coverage)
        cut = int(np.searchsorted(self.answered, number))
        before = self.answered[cut - 1] if cut else 0.0
        share = (number - before) / (self.answered[cut] - before)
        return np.where(sure > self.certainty[cut], 1.0, share * (sure == self.certainty[cut]))

    def _number(self, coverage: float) -> float:
        return float(np.ceil(coverage * self.answered[-1] - 1e-9))
