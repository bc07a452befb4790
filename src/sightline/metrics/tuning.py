"""Tuning: calibration, thresholds and decision rule, fitted on val and kept in the checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.abstention import Abstention
from sightline.metrics.conformal import PredictionSets
from sightline.metrics.crossfit import parts_of
from sightline.metrics.fitted_calibration import CalibrationFit, fit_calibration
from sightline.metrics.fitted_thresholds import fit_thresholds
from sightline.metrics.metric import TUNED
from sightline.metrics.ood_rule import OodRule
from sightline.predictions import Predictions

log = logging.getLogger(__name__)

RULES = ("default", "tuned")


@dataclass(frozen=True)
class Tuning:
    """How probabilities are calibrated and decided on; untuned by default.

    Attributes:
        temperature: the logits are divided by it (Guo et al. 2017); 1 leaves them.
        thresholds: over which a calibrated probability is a yes by the tuned rule: binary one
            value, of the positive class; multilabel one a label; None where none were fitted.
        aim: what the thresholds were fitted for; None where they were not.
        biases: added to the divided logits, one an output; None for 0.
        rule: the run's decision rule. default: over 0.5, or the most probable class, of the
            probabilities before calibration; tuned: over the thresholds. Empty: tuned where there
            are thresholds, which is what checkpoints without a rule mean.
        refused: whether a calibration was fitted and refused; the metrics of calibrated
            probabilities are then those of the probabilities as trained.
        abstention: at or below which certainty the model abstains; None: never.
        ood: which images are taken for unknown; None: none.
        sets: of what is not excluded at a wanted coverage; None where none were fitted.
        remarks: sentences about the fit: what was refused, and why.
        parts: the same fitted without each part of val (`crossfit.parts_of`), by which val itself
            is judged; empty in older checkpoints.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    aim: str | None = None
    biases: tuple[float, ...] | None = None
    rule: str = ""
    refused: bool = False
    remarks: tuple[str, ...] = ()
    parts: tuple["Tuning", ...] = ()
    abstention: Abstention | None = None
    sets: PredictionSets | None = None
    ood: OodRule | None = None

    def __post_init__(self) -> None:
        derived = "default" if self.thresholds is None else "tuned"
        object.__setattr__(self, "rule", self.rule or derived)

    @property
    def calibrates(self) -> bool:
        """Whether calibration changes probabilities."""
        return self.temperature != 1 or self.biases is not None

    @property
    def suffix(self) -> str:
        """What the names of metrics of decisions by the run's rule end with."""
        return TUNED if self.rule == "tuned" else ""

    def withheld_words(self, multi_label: bool) -> dict[str, str]:
        """What was fitted beyond decisions, in words by name."""
        found = {}
        if self.abstention is not None:
            found["abstention"] = self.abstention.words()
        if self.sets is not None:
            found["sets"] = self.sets.words(multi_label)
        if self.ood is not None:
            found["unknown images"] = self.ood.words()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as a checkpoint holds them."""
        lists = {name: _list(getattr(self, name)) for name in ("thresholds", "biases", "remarks")}
        parts = [each.to_dict() for each in self.parts]
        return asdict(replace(self, parts=())) | lists | {"parts": parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; untuned of an empty one.

        Raises:
            ValueError: the rule is an unknown one, a number is none, or a part has parts itself.
        """
        return cls._of(values, [cls._of(each, []) for each in values.get("parts", ())])

    @classmethod
    def _of(cls, values: Mapping[str, Any], parts: Sequence["Tuning"]) -> Self:
        if not isinstance(values, Mapping) or (values.get("parts") and not parts):
            raise ValueError("a tuning of a part of val has parts itself, or is no mapping")
        rule = values.get("rule", "")
        if rule not in ("", *RULES):
            raise ValueError(f"the decision rule {rule!r} is unknown")
        temperature = float(values.get("temperature", 1.0))
        if not 0 < temperature < np.inf:
            raise ValueError(f"the temperature {temperature} is not a positive number")
        return cls(
            temperature=temperature,
            thresholds=_tuple(values.get("thresholds")),
            aim=values.get("aim"),
            biases=_tuple(values.get("biases")),
            rule=rule,
            refused=bool(values.get("refused", False)),
            remarks=tuple(map(str, values.get("remarks", ()))),
            parts=tuple(parts),
            abstention=Abstention.from_dict(values.get("abstention")),
            sets=PredictionSets.from_dict(values.get("sets")),
            ood=OodRule.from_dict(values.get("ood")),
        )


def _list(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _tuple(values: Any) -> tuple[float, ...] | None:
    found = None if values is None else tuple(map(float, values))
    if found is not None and not np.isfinite(found).all():
        raise ValueError(f"a threshold or bias of {found} is not a number")
    return found


def check_outputs(label_mode: LabelMode, tuning: Tuning) -> None:
    """Refuse a tuning of another number of outputs, in a file that was changed.

    Raises:
        ValueError: says what it has, and what the label mode needs.
    """
    for each in (tuning, *tuning.parts):
        for name, values, wanted in (
            ("thresholds", each.thresholds, len(label_mode.threshold_names)),
            ("biases", each.biases, label_mode.num_outputs),
        ):
            if values is not None and len(values) != wanted:
                raise ValueError(f"the tuning has {len(values)} {name}, and the model {wanted}")


def check_aim(label_mode: LabelMode, config: TuningConfig) -> None:
    """Refuse an aim where the label mode has no thresholds."""
    if config.aim not in (None, "auto") and not label_mode.threshold_names:
        raise UserError(
            f"tuning.aim={config.aim}: label_mode={label_mode.name} decides by the most probable "
            "class and has no thresholds; leave tuning.aim=auto."
        )


def fit_tuning(
    label_mode: LabelMode, val: Predictions, config: TuningConfig, shift: np.ndarray | None = None
) -> Tuning:
    """The calibration and thresholds that the config requests, and the rule that follows.

    Args:
        label_mode: of the table.
        val: never test's table.
        config: checked against the label mode by `check_aim`.
        shift: what the training's weights add to the logit of each output, shape (num_outputs,);
            None where nothing is weighted.
    """
    parts = parts_of(val)
    found = CalibrationFit.none(parts)
    if config.calibrate:
        found = fit_calibration(label_mode, val, parts, shift)
    by_part = [Tuning(temperature, biases=biases) for temperature, biases in found.by_part]
    whole = Tuning(found.temperature, biases=found.biases, remarks=found.remarks)
    whole = replace(whole, refused=config.calibrate and not whole.calibrates)
    if config.aim is not None and label_mode.threshold_names:
        fitted = fit_thresholds(label_mode, val, parts, found, config)
        rule = "tuned" if fitted.used else "default"
        by_part = [
            replace(each, thresholds=thresholds, aim=config.words, rule=rule)
            for each, thresholds in zip(by_part, fitted.by_part, strict=True)
        ]
        whole = replace(
            whole, thresholds=fitted.thresholds, aim=config.words, rule=rule,
            remarks=(*whole.remarks, *fitted.remarks),
        )  # fmt: skip
    for remark in whole.remarks:
        log.log(logging.INFO if config.aim in (None, "auto") else logging.WARNING, "%s", remark)
    return replace(whole, parts=tuple(by_part))


def tuning_record(label_mode: LabelMode, tuning: Tuning) -> dict[str, Any]:
    """The tuning for a file, with each threshold under its class's name."""
    record = tuning.to_dict() | {"thresholds": label_mode.thresholds_by_class(tuning.thresholds)}
    return {name: value for name, value in record.items() if name != "parts"}
