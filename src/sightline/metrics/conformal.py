"""Conformal prediction: sets that hold the truth with a wanted probability, fitted on val.

Split conformal prediction (Vovk et al. 2005; Papadopoulos et al. 2002): with n scores of true
options on val, those of new samples are at most the k-th smallest, k = ceil((n + 1) coverage), with
a probability of at least `coverage` over the draw of val and of the sample, which have to be
exchangeable. Given val the coverage follows the Beta(k, n + 1 - k) law where scores are not tied
(Vovk 2012).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.metrics.set_scores import scores_of

CLASS = "class"  # of `tuning.sets_by`
Quantiles = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PredictionSets:
    """The options of each answer that a score keeps in its set.

    Attributes:
        coverage: the wanted probability that a set holds the truth, in (0, 1).
        score: threshold, aps or raps.
        by: what it holds for: empty, all samples together; `class`; or a column of the data.
        groups: values of that column, in order; ("",) without one.
        quantiles: the greatest score in a set, shape (groups, A, K).
        penalty, rank: of raps: added for each rank of probability after this one.
    """

    coverage: float
    score: str
    by: str
    groups: tuple[str, ...]
    quantiles: tuple[Quantiles, ...]
    penalty: float = 0.0
    rank: int = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """The inverse of `dataclasses.asdict`; None of None."""
        if values is None:
            return None
        quantiles = tuple(
            tuple(tuple(map(float, options)) for options in each) for each in values["quantiles"]
        )
        return cls(
            float(values["coverage"]), str(values["score"]), str(values["by"]),
            tuple(map(str, values["groups"])), quantiles, float(values.get("penalty", 0)),
            int(values.get("rank", 0)),
        )  # fmt: skip

    def hold(self, options: np.ndarray, column: np.ndarray | None = None) -> np.ndarray:
        """Which options each set holds, shape (N, A, K), bool.

        Args:
            options: probabilities, calibrated, shape (N, A, K).
            column: values of the column `by`, shape (N,), text; None where it is not known. The
                largest quantile of all values is taken there, which holds in each.
        """
        scores = scores_of(options, self.score, self.penalty, self.rank)
        quantiles = np.array(self.quantiles)
        widest = quantiles.max(axis=0)
        if column is None or not self.by_column:
            return np.asarray(scores <= widest)
        known = {value: quantiles[place] for place, value in enumerate(self.groups)}
        return np.asarray(scores <= np.stack([known.get(str(each), widest) for each in column]))

    @property
    def by_column(self) -> bool:
        """Whether the coverage is of each value of a column."""
        return self.by not in ("", CLASS)

    def words(self, multi_label: bool) -> str:
        """What is guaranteed."""
        what = "each label's set of absent and present" if multi_label else "the set of classes"
        of = {"": "", CLASS: ", of the samples of each class" if not multi_label else
              ", of those with a label and of those without it"}  # fmt: skip
        where = of.get(self.by, f", of each {self.by}")
        kind = "marginally" if not self.by else "conditionally"
        return (
            f"{what} ({self.score}) holds the truth with a probability of at least "
            f"{self.coverage:g}, {kind}{where}: over samples drawn as val was"
        )


def fit_sets(
    options: np.ndarray, truth: np.ndarray, config: TuningConfig, column: np.ndarray | None = None
) -> PredictionSets:
    """The sets that the config requests.

    Of what has fewer samples than `samples_needed`, sets hold everything.

    Args:
        options: calibrated probabilities of val, shape (N, A, K).
        truth: the true option of each answer, shape (N, A); negative where it is not known.
        config: with a coverage.
        column: values of the column `config.sets_by`, shape (N,); None without one.
    """
    assert config.coverage is not None
    by, score = config.sets_by or "", config.sets or "threshold"
    penalty, rank = (config.raps_penalty, config.raps_rank) if score == "raps" else (0.0, 0)
    scores = scores_of(options, score, penalty, rank)
    most = 1 + penalty * scores.shape[2]  # that no score exceeds
    groups = ("",) if column is None else tuple(sorted(set(map(str, column))))
    quantiles = []
    for group in groups:
        rows = np.ones(len(truth), bool) if column is None else column.astype(str) == group
        quantiles.append(_quantiles(scores[rows], truth[rows], config.coverage, by == CLASS, most))
    return PredictionSets(config.coverage, score, by, groups, tuple(quantiles), penalty, rank)


def _quantiles(
    scores: np.ndarray, truth: np.ndarray, coverage: float, by_class: bool, most: float
) -> Quantiles:
    """The quantile for each option (A, K): its own, or that of all."""
    found = []
    for answer in range(truth.shape[1]):
        rows = np.flatnonzero(truth[:, answer] >= 0)
        right = truth[rows, answer]
        own = scores[rows, answer, right]
        every = [own[right == k] if by_class else own for k in range(scores.shape[2])]
        found.append(tuple(quantile(each, coverage, most) for each in every))
    return tuple(found)


def quantile(scores: np.ndarray, coverage: float, most: float) -> float:
    """The k-th smallest of n scores, k = ceil((n + 1) coverage); `most` where k is over n."""
    place = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return float(np.partition(scores, place - 1)[place - 1]) if place <= len(scores) else most


def samples_needed(coverage: float) -> int:
    """The least n with ceil((n + 1) coverage) <= n."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def truths(targets: np.ndarray) -> np.ndarray:
    """Encoded targets as the true option of each answer, shape (N, A); negative: not known."""
    return (targets if targets.ndim == 2 else targets[:, None]).astype(np.int64)


def too_few(
    targets: np.ndarray, config: TuningConfig, class_names: Sequence[str],
    column: np.ndarray | None = None,
) -> str | None:  # fmt: skip
    """What has too few samples for the coverage, with the number that it takes; else None.

    Args:
        targets: encoded, of val.
        config: with a coverage.
        class_names: of the targets.
        column: values of the column `config.sets_by`; None without one.
    """
    assert config.coverage is not None
    least, truth = samples_needed(config.coverage), truths(targets)
    several = targets.ndim == 2
    counts: dict[str, int] = {}
    if config.sets_by == CLASS:
        for place, name in enumerate(class_names):
            if several:
                counts[f"with {name}"] = int((truth[:, place] == 1).sum())
                counts[f"without {name}"] = int((truth[:, place] == 0).sum())
            else:
                counts[f"of {name}"] = int((truth[:, 0] == place).sum())
    else:
        values = [""] if column is None else sorted(set(map(str, column)))
        for value in values:
            rows = truth if column is None else truth[column.astype(str) == value]
            where = f" of {config.sets_by} {value}" if value or column is not None else ""
            for place in range(truth.shape[1]):
                name = f" where {class_names[place]} is known" if several else ""
                counts[f"{where}{name}".strip() or "in all"] = int((rows[:, place] >= 0).sum())
    short = [f"{count} {name}" for name, count in counts.items() if count < least]
    if not short:
        return None
    more = f" and {len(short) - 10} more" if len(short) > 10 else ""
    return (
        f"tuning.coverage={config.coverage:g} takes at least {least} samples of val, "
        f"but there are {', '.join(short[:10])}{more}"
    )
