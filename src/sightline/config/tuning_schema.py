"""The type of the config's `tuning`: what is fitted on val after a training."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from sightline.config.validation import Strict

Score = Literal["msp", "max_logit", "energy", "knn", "mahalanobis", "vim"]  # of unknown images


class TuningConfig(Strict):
    """What is fitted on val after the training, and kept with the model.

    calibrate: divide the logits by the temperature that makes val's log loss least, and add biases
        where classes were weighted in training; only where cross-fitting shows a gain.
    aim: what thresholds are fitted for, in binary and for each label in multilabel; auto: f1
        there, used if that shows a gain, and nothing in multiclass; null: they stay at 0.5.
    hold: the precision (or recall) that is held while the other is made as great as it can be.
    risk: the share of given answers that may be wrong: the less certain ones are withheld.
    guarantee: the confidence with which `hold` and `risk` are held on new samples; older runs have
        none.
    coverage: the probability with which a set of classes holds the true one.
    sets: the score of the sets; null: threshold.
    sets_by: what the coverage is of: class, or a column of the data; null: all samples together.
    raps_penalty, raps_rank: of the score raps.
    ood: the score of unknown images, over whose threshold all answers are withheld; null: none.
    ood_false_alarms: the share of images like val's that may be taken for unknown.
    false_positive_cost, false_negative_cost: of one error each, for the aim `cost`.
    """

    calibrate: bool
    aim: Literal["auto", "f1", "precision", "recall", "cost"] | None
    hold: Annotated[float, Field(gt=0, le=1)] | None
    guarantee: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    risk: Annotated[float, Field(gt=0, lt=1)] | None = None
    coverage: Annotated[float, Field(gt=0, lt=1)] | None = None
    sets: Literal["threshold", "aps", "raps"] | None = None
    sets_by: str | None = None
    raps_penalty: NonNegativeFloat = 0.01
    raps_rank: NonNegativeInt = 5
    ood: Score | None = None
    ood_false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.05
    false_positive_cost: PositiveFloat | None
    false_negative_cost: PositiveFloat | None

    @property
    def words(self) -> str:
        """The aim with its numbers."""
        if self.hold is not None:
            sure = f" with {self.guarantee:.0%} confidence" if self.guarantee else ""
            return f"{self.aim}>={self.hold:g}{sure}"
        if self.aim == "auto":
            return "f1"
        if self.aim == "cost":
            return f"cost {self.false_positive_cost:g}:{self.false_negative_cost:g}"
        return str(self.aim)
