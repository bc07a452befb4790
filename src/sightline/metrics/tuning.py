"""Tuning: temperature and thresholds, fitted on val after a training and kept in its checkpoint."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from sightline.config.schema import TuningConfig
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.calibration import calibrated, fit_temperature
from sightline.metrics.thresholds import aim_of, fit_threshold
from sightline.predictions import Predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tuning:
    """How probabilities are calibrated and decided on; untuned by default.

    Attributes:
        temperature: the logits are divided by it (Guo et al. 2017); 1 leaves them.
        thresholds: over which a calibrated probability is a yes: binary one value, of the positive
            class; multilabel one a label; None for 0.5, and for multiclass.
        aim: what the thresholds were fitted for; None where they were not.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    aim: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as a checkpoint holds them."""
        thresholds = None if self.thresholds is None else list(self.thresholds)
        return asdict(self) | {"thresholds": thresholds}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; untuned of an empty one."""
        thresholds = values.get("thresholds")
        return cls(
            temperature=float(values.get("temperature", 1.0)),
            thresholds=None if thresholds is None else tuple(map(float, thresholds)),
            aim=values.get("aim"),
        )


def check_aim(label_mode: LabelMode, config: TuningConfig) -> None:
    """Refuse an aim where the label mode has no thresholds."""
    if config.aim not in (None, "auto") and not label_mode.threshold_names:
        raise UserError(
            f"tuning.aim={config.aim}: label_mode={label_mode.name} decides by the most probable "
            "class and has no thresholds; leave tuning.aim=auto."
        )


def fit_tuning(label_mode: LabelMode, val: Predictions, config: TuningConfig) -> Tuning:
    """The temperature and thresholds that the config requests.

    Args:
        label_mode: of the table.
        val: never test's table.
        config: checked against the label mode by `check_aim`.
    """
    temperature = fit_temperature(label_mode, val) if config.calibrate else 1.0
    scores, targets = label_mode.yes_or_no(calibrated(label_mode, val, temperature))
    if config.aim is None or scores.shape[1] == 0:
        return Tuning(temperature)
    aim = aim_of(config)
    found = [fit_threshold(*each, aim) for each in zip(scores.T, targets.T, strict=True)]
    names = label_mode.threshold_names
    left = [name for name, threshold in zip(names, found, strict=True) if threshold is None]
    if left:
        log.warning(
            "No threshold for %s: val holds no such samples or nothing else, or %s=%s is out of "
            "reach there; it stays at 0.5.",
            ", ".join(left[:10]) + (", …" if len(left) > 10 else ""), config.aim, config.hold,
        )  # fmt: skip
    thresholds = tuple(0.5 if threshold is None else threshold for threshold in found)
    return Tuning(temperature, thresholds, config.words)


def tuning_record(label_mode: LabelMode, tuning: Tuning) -> dict[str, Any]:
    """The tuning with each threshold under its class's name."""
    return tuning.to_dict() | {"thresholds": label_mode.thresholds_by_class(tuning.thresholds)}
