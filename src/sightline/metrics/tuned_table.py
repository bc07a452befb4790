"""A prediction table calibrated and decided as a tuning says, and the decision rule in words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.calibration import calibrated
from sightline.metrics.crossfit import parts_of
from sightline.metrics.fitted_table import FittedTable
from sightline.metrics.selective import certainty
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions

SHOWN = 10  # labels whose thresholds are named in a sentence
RULE_FACT = "decision rule"  # its name at the head of a report and in the note of a run
RULE_TITLES = {"default": "default rule", "tuned": "tuned thresholds"}


@dataclass(frozen=True)
class TunedTable:
    """A table with its calibrated probabilities, and its decisions by both rules.

    Attributes:
        label_mode: of the table.
        table: as stored, before calibration.
        tuning: of the model.
        parts: where the tuning was fitted on this table: the part of each sample, shape (N,), which
            is judged by what was fitted without it; else None.
    """

    label_mode: LabelMode
    table: Predictions
    tuning: Tuning
    parts: np.ndarray | None = None

    @cached_property
    def calibrated(self) -> Predictions:
        """The table with calibrated probabilities, double."""
        probs = np.empty(self.table.probs.shape)
        for rows, each in self._by_part():
            part = calibrated(
                self.label_mode, self.table.select(rows), each.temperature, each.biases
            )
            probs[rows] = part.probs
        return replace(self.table, probs=probs)

    def decisions(self, rule: str) -> Tensor:
        """Decisions of each sample, in the form of the targets; tuned: with fitted thresholds."""
        raw, target = to_tensors(self.table)
        if rule == "default":
            return self.label_mode.decide(raw)
        decided = torch.empty_like(target)
        for rows, each in self._by_part():
            probs = torch.from_numpy(self.calibrated.probs[rows])
            decided[rows] = self.label_mode.decide(probs, each.thresholds)
        return decided

    def margins(self, rule: str) -> np.ndarray:
        """How much of a probability separates each decision from another, shape (N,)."""
        if rule == "default":
            return np.asarray(self.label_mode.margin(to_tensors(self.table)[0]).numpy())
        margins = np.empty(len(self.table))
        for rows, each in self._by_part():
            probs = torch.from_numpy(self.calibrated.probs[rows])
            margins[rows] = self.label_mode.margin(probs, each.thresholds).numpy()
        return margins

    @cached_property
    def certainties(self) -> np.ndarray:
        """How sure each answer by the run's rule is, shape (N, A), see `certainty`."""
        decided = self.decisions(self.tuning.rule)
        found = np.empty((decided if decided.ndim == 2 else decided[:, None]).shape)
        for rows, each in self._by_part():
            probs = torch.from_numpy(self.calibrated.probs[rows])
            sure = decision_certainty(self.label_mode, each, probs, decided[rows])
            found[rows] = sure.numpy()
        return found

    @cached_property
    def answered(self) -> np.ndarray:
        """Answers that the model gives, and does not abstain from: shape (N, A), bool."""
        answered = np.ones(self.certainties.shape, bool)
        for rows, each in self._by_part():
            if each.abstention is not None:
                answered[rows] = each.abstention.answers(self.certainties[rows])
        return answered

    @cached_property
    def sets(self) -> np.ndarray | None:
        """The options in each answer's set, shape (N, A, K), bool; None where none were fitted."""
        if self.tuning.sets is None:
            return None
        options = self.label_mode.options(torch.from_numpy(self.calibrated.probs)).numpy()
        column = self.table.metadata.get(self.tuning.sets.by)
        held = np.zeros(options.shape, bool)
        for rows, each in self._by_part():
            assert each.sets is not None
            held[rows] = each.sets.hold(options[rows], None if column is None else column[rows])
        return held

    @cached_property
    def fitted(self) -> FittedTable:
        """The table decided by the run's rule, with withheld answers and sets."""
        decisions = self.decisions(self.tuning.rule)
        return FittedTable(self.label_mode, self.calibrated, decisions, self.answered, self.sets)

    def _by_part(self) -> Iterator[tuple[np.ndarray, Tuning]]:
        """Rows, and the tuning that judges them."""
        if self.parts is None:
            yield np.arange(len(self.table)), self.tuning
            return
        for k, each in enumerate(self.tuning.parts):
            yield np.flatnonzero(self.parts == k), each


def parts_of_val(tuning: Tuning, val: Predictions) -> np.ndarray | None:
    """The parts of the table that a tuning was fitted on; None where it was not cross-fitted."""
    if not tuning.parts:
        return None
    parts = parts_of(val)
    return parts if parts.max(initial=-1) + 1 == len(tuning.parts) else None


def rule_words(label_mode: LabelMode, tuning: Tuning) -> str:
    """The decision rule with its thresholds, in words."""
    if tuning.rule == "default":
        if not label_mode.threshold_names:
            words = "the most probable class"
        else:
            words = f"a probability over 0.5 is {_yes(label_mode)}"
        before = ", of the probabilities before calibration" if tuning.biases else ""
        return f"default: {words}{before}"
    thresholds = label_mode.thresholds_by_class(tuning.thresholds)
    shown = [f"{name} over {value:.4g}" for name, value in list(thresholds.items())[:SHOWN]]
    more = f" and {len(thresholds) - SHOWN} more" if len(thresholds) > SHOWN else ""
    aim = f", fitted on val for {tuning.aim}" if tuning.aim else ""
    return f"tuned: {', '.join(shown)}{more}{aim}"


def tuning_facts(label_mode: LabelMode, tuning: Tuning) -> dict[str, str]:
    """Rule, calibration and remarks, for the head of a report and the note of a run."""
    facts = {
        RULE_FACT: rule_words(label_mode, tuning),
        "calibration": calibration_words(tuning),
        **tuning.withheld_words(label_mode.multi_label),
    }
    return facts | ({"tuning": " ".join(tuning.remarks)} if tuning.remarks else {})


def decide_calibrated(label_mode: LabelMode, tuning: Tuning, probs: Tensor) -> Tensor:
    """Decisions by the run's rule from calibrated probabilities (N, C) alone."""
    if tuning.rule == "tuned":
        return label_mode.decide(probs, tuning.thresholds)
    if tuning.biases is None:
        return label_mode.decide(probs)
    return label_mode.decide(label_mode.calibrate(probs, 1.0, [-each for each in tuning.biases]))


def decision_certainty(
    label_mode: LabelMode, tuning: Tuning, probs: Tensor, decided: Tensor
) -> Tensor:
    """How sure decisions by the run's rule are, shape (N, A); see `selective.certainty`.

    Args:
        label_mode, tuning: of the model.
        probs: calibrated, shape (N, C).
        decided: in the form of targets.
    """
    return certainty(label_mode, probs, decided, thresholds_of_calibrated(label_mode, tuning))


def thresholds_of_calibrated(label_mode: LabelMode, tuning: Tuning) -> list[float] | None:
    """The thresholds of calibrated probabilities that the run's rule comes to; None for 0.5."""
    if tuning.rule == "tuned":
        return list(tuning.thresholds or ())
    if tuning.biases is None or not label_mode.threshold_names:
        return None
    return torch.tensor(tuning.biases, dtype=torch.float64).sigmoid().tolist()


def calibration_words(tuning: Tuning) -> str:
    """The calibration in words."""
    if not tuning.calibrates:
        fitted = "fitted and refused" if tuning.refused else "none"
        return f"{fitted}: the probabilities are as trained"
    biases = ", and a bias for each output" if tuning.biases else ""
    return f"logits divided by the temperature {tuning.temperature:.4g}{biases}, fitted on val"


def _yes(label_mode: LabelMode) -> str:
    names = label_mode.threshold_names
    return names[0] if len(names) == 1 else "a yes for each label"
