"""The rule that takes images for unknown: a score, and the threshold fitted on val."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.errors import UserError
from sightline.metrics.conformal import samples_needed
from sightline.metrics.ood_scores import OF_LOGITS, score_of_logits, score_of_probs
from sightline.predictions import Predictions

COLUMN = "ood_score"  # of predictions, and of a run's stored tables


@dataclass(frozen=True)
class OodRule:
    """The score over which an image is taken for unknown.

    Attributes:
        score: one of `ood_scores.OF_LOGITS`; higher is more unlike the training images.
        threshold: in the score's own units.
        false_alarms: the share of images drawn as val was that may be taken for unknown.
    """

    score: str
    threshold: float
    false_alarms: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """The inverse of `dataclasses.asdict`; None of None.

        Raises:
            ValueError: the score is an unknown one, or the threshold is no number.
        """
        if values is None:
            return None
        score, threshold = str(values["score"]), float(values["threshold"])
        if score not in OF_LOGITS or not np.isfinite(threshold):
            raise ValueError(f"the score {score!r} over {threshold} is unknown")
        return cls(score, threshold, float(values["false_alarms"]))

    def scores(self, logits: np.ndarray, exclusive: bool) -> np.ndarray:
        """The score of each image, shape (N,), double; see `score_of_logits`."""
        return score_of_logits(self.score, logits.astype(np.float64), exclusive)

    def unknown(self, scores: np.ndarray) -> np.ndarray:
        """Which images are taken for unknown, shape (N,), bool."""
        return np.asarray(scores > self.threshold)

    def words(self) -> str:
        """What is taken for unknown, and what is held."""
        return (
            f"no answer where {self.score} is over {self.threshold:.4g}: so are on average at most "
            f"{self.false_alarms:g} of images drawn as val was"
        )


def check_ood(count: int, columns: list[str], config: TuningConfig) -> None:
    """Refuse a rule that val does not allow.

    Args:
        count: of val's samples.
        columns: names of the data's further columns.
        config: of the tuning.

    Raises:
        UserError: names how many samples the share takes, or the column that is there already.
    """
    if config.ood is None:
        return
    if COLUMN in columns:
        raise UserError(
            f"tuning.ood={config.ood}: the data has a column {COLUMN}, where the scores are stored;"
            " give it another name."
        )
    if (problem := _too_few(count, config)) is not None:
        raise UserError(f"{problem}: give val more samples, or allow more false alarms.")


def scores_of(table: Predictions, score: str) -> np.ndarray | None:
    """A table's scores, shape (N,): its column, or msp of its probabilities; None without."""
    if COLUMN in table.metadata:
        return table.metadata[COLUMN]
    return score_of_probs(table.probs) if score == "msp" else None


def fit_ood(val: Predictions, config: TuningConfig) -> tuple[OodRule | None, str | None]:
    """The rule that the config requests, and why there is none, or what limits it.

    The threshold is the ceil((n + 1)(1 - share))-th least of n scores, as in split conformal
    prediction: over draws of val, a new image drawn alike is over it with at most that share.

    Args:
        val: with the column `ood_score`; msp is also computed of probabilities.
        config: with a score.
    """
    assert config.ood is not None
    scores = scores_of(val, config.ood)
    if scores is None:
        return None, (
            f"tuning.ood={config.ood}: not fitted, since it takes logits, and of this model the "
            "probabilities alone are known; tuning.ood=msp takes these."
        )
    if (problem := _too_few(len(scores), config)) is not None:
        return None, f"{problem}: not fitted."
    kept = math.ceil((len(scores) + 1) * (1 - config.ood_false_alarms) - 1e-9)
    threshold = float(np.sort(scores)[max(kept, 1) - 1])
    remark = None
    if val.groups is not None:
        remark = (
            "tuning.ood takes the samples of val to be exchangeable with new ones, but they are in "
            "groups: over new groups the share of false alarms varies more."
        )
    return OodRule(config.ood, threshold, config.ood_false_alarms), remark


def _too_few(count: int, config: TuningConfig) -> str | None:
    least = samples_needed(1 - config.ood_false_alarms)
    if count >= least:
        return None
    return (
        f"tuning.ood_false_alarms={config.ood_false_alarms:g} takes at least {least} samples of "
        f"val, but there are {count}"
    )
