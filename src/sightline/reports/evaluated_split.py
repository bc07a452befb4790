"""One evaluated split: predictions, decisions and what follows from them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch

from sightline.label_modes.base import ConfusionMatrix, LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.tuned_table import RULE_TITLES, TunedTable
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions


@dataclass(frozen=True)
class EvaluatedSplit:
    """A table of predictions, and the decisions made from it.

    Attributes:
        split: name.
        label_mode: meaning of targets and probabilities.
        table: the predictions as stored, before calibration.
        tuning: calibration, thresholds and decision rule of the model.
        parts: of the samples, shape (N,), where the tuning was fitted on them, and is judged by
            cross-fitting; else None.
    """

    split: str
    label_mode: LabelMode
    table: Predictions
    tuning: Tuning
    parts: np.ndarray | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each column of `probs`."""
        return self.table.class_names

    @cached_property
    def tuned(self) -> TunedTable:
        """The table under its tuning."""
        return TunedTable(self.label_mode, self.table, self.tuning, self.parts)

    @property
    def calibrated(self) -> Predictions:
        """The table after calibration."""
        return self.tuned.calibrated

    @property
    def rule(self) -> str:
        """The decision rule of decisions, matrices and errors, in two words for titles."""
        return RULE_TITLES[self.tuning.rule]

    @property
    def decided_by(self) -> str:
        """The same for sentences: by ..."""
        if self.tuning.rule == "tuned" and self.parts is not None:
            return f"the {self.rule} (each part of {self.split} by those fitted on the others)"
        return f"the {self.rule}"

    @property
    def probs(self) -> np.ndarray:
        """Calibrated probabilities, float64, shape (N, C)."""
        return self.calibrated.probs

    @cached_property
    def decisions(self) -> np.ndarray:
        """Decisions by the run's rule, in the form of `table.targets`."""
        decided: np.ndarray = self.tuned.decisions(self.tuning.rule).numpy()
        return decided

    @cached_property
    def answers(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Answers by the run's rule that are right, and those that are known: (N, A), bool."""
        decided, target = torch.from_numpy(self.decisions), to_tensors(self.table)[1]
        return self.label_mode.answers(decided, target)

    @cached_property
    def matrices(self) -> list[ConfusionMatrix]:
        """Confusion matrices of targets and decisions."""
        target = to_tensors(self.table)[1]
        return self.label_mode.matrices(torch.from_numpy(self.decisions), target)

    @cached_property
    def truth(self) -> np.ndarray:
        """Targets, shape (N, C): 1 where the class is present, 0 where not, NaN where unknown."""
        return self._as_rows(self.table.targets)

    @cached_property
    def decision_rows(self) -> np.ndarray:
        """Decisions, shape (N, C): 1 where the class was decided for, else 0."""
        return self._as_rows(self.decisions)

    @cached_property
    def wrong(self) -> np.ndarray:
        """Shape (N,), bool: whether the decision differs from the known part of the target."""
        known = ~np.isnan(self.truth)
        differs: np.ndarray = (known & (self.truth != self.decision_rows)).any(axis=1)
        return differs

    @cached_property
    def gaps(self) -> np.ndarray:
        """Shape (N, C), in [0, 1]: |truth - probability|; 0 where the truth is not known."""
        gaps: np.ndarray = np.nan_to_num(np.abs(self.truth - self.probs.astype(float)))
        return gaps

    def worst_errors(self, count: int) -> np.ndarray:
        """At most `count` rows of wrong decisions, those with the largest gap of a class first."""
        worst = np.argsort(-self.gaps.max(axis=1), kind="stable")
        rows: np.ndarray = worst[self.wrong[worst]][:count]
        return rows

    @property
    def one_vs_rest(self) -> list[int]:
        """Indices of the classes with one-vs-rest curves; of a binary mode the positive one."""
        count = len(self.class_names)
        return list(range(count)) if self.label_mode.num_outputs > 1 else [count - 1]

    def as_text(self, encoded: np.ndarray) -> str:
        """An encoded target or decision as class names."""
        return self.label_mode.examples(torch.as_tensor(encoded)) or "(none)"

    def select(self, rows: np.ndarray | slice) -> Self:
        """The same split with some of its samples."""
        parts = None if self.parts is None else self.parts[rows]
        return replace(self, table=self.table.select(rows), parts=parts)

    def sample(self, count: int, seed: int) -> Self:
        """At most `count` samples, chosen at random, in their order."""
        chosen = np.random.default_rng(seed).permutation(len(self.table))[:count]
        return self.select(np.sort(chosen))

    def _as_rows(self, encoded: np.ndarray) -> np.ndarray:
        rows: np.ndarray = self.label_mode.soft(torch.from_numpy(encoded)).numpy()
        return rows
