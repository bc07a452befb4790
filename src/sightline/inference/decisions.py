"""Decisions as rows: the decided class names, all probabilities, and the top k classes."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.ood_rule import COLUMN as OOD_SCORE
from sightline.metrics.tuned_table import decision_certainty
from sightline.metrics.tuning import Tuning

KINDS = {"boolean": pa.bool_(), "double": pa.float64(), "texts": pa.list_(pa.string())}


@dataclass(frozen=True)
class Decisions:
    """Rule and columns of a model's decisions.

    Attributes:
        label_mode: of the model.
        tuning: calibration, thresholds and decision rule.
        top_k: number of most probable classes with columns of their own; 0 for none.

    Raises:
        UserError: top_k is larger than the number of classes.
    """

    label_mode: LabelMode
    tuning: Tuning
    top_k: int = 0

    def __post_init__(self) -> None:
        classes = len(self.label_mode.class_names)
        if not 0 <= self.top_k <= classes:
            raise UserError(f"top_k={self.top_k}: expected at most the {classes} classes.")

    @property
    def schema(self) -> pa.Schema:
        """`pred`, `prob_CLASS` for each class, `top_K` and `prob_top_K`, and the fitted columns."""
        multi_label = self.label_mode.multi_label
        fields = [pa.field("pred", pa.list_(pa.string()) if multi_label else pa.string())]
        fields += [pa.field(f"prob_{name}", pa.float32()) for name in self.label_mode.class_names]
        for rank in range(1, self.top_k + 1):
            fields += [pa.field(f"top_{rank}", pa.string())]
            fields += [pa.field(f"prob_top_{rank}", pa.float32())]
        fields += [pa.field(name, KINDS[kind]) for name, kind in self.fitted_columns.items()]
        return pa.schema(fields)

    @property
    def fitted_columns(self) -> dict[str, str]:
        """The columns of what was fitted on val beyond decisions: a key of KINDS, by name."""
        columns = {}
        if self.tuning.ood is not None:
            columns[OOD_SCORE] = "double"
        if self.abstains:
            columns["abstain"] = "texts" if self.label_mode.multi_label else "boolean"
        if self.tuning.sets is not None:
            columns["set"] = "texts"
            if self.label_mode.multi_label:
                columns["unsure"] = "texts"
        return columns

    @property
    def abstains(self) -> bool:
        """Whether an answer can be withheld."""
        return self.tuning.abstention is not None or self.tuning.ood is not None

    def rows_of_logits(self, logits: Tensor) -> pa.RecordBatch:
        """N rows of the columns of `schema`.

        Args:
            logits: shape (N, num_outputs), as `LoadedModel.logits` gives them.
        """
        scores, probs = None, self.label_mode.probs(logits).numpy()
        if self.tuning.ood is not None:
            scores = self.tuning.ood.scores(logits.numpy(), self.label_mode.exclusive)
        return self.rows(probs, scores)

    def rows(self, probs: np.ndarray, scores: np.ndarray | None = None) -> pa.RecordBatch:
        """N rows of the columns of `schema`.

        Args:
            probs: shape (N, C), before calibration.
            scores: of how unlike the training images they are, shape (N,), where the tuning has
                such a rule.
        """
        names = self.label_mode.class_names
        tuning, raw = self.tuning, torch.from_numpy(np.ascontiguousarray(probs))
        calibrated = raw
        if tuning.calibrates:
            calibrated = self.label_mode.calibrate(raw, tuning.temperature, tuning.biases)
        if tuning.rule == "tuned":
            decided = self.label_mode.decide(calibrated, tuning.thresholds)
        else:
            decided = self.label_mode.decide(raw)
        calibrated_probs = calibrated.to(torch.float32).numpy()
        kind = self.schema.field("pred").type
        columns = [pa.array(decision_names(names, decided.numpy()), kind)]
        columns += [pa.array(column) for column in np.ascontiguousarray(calibrated_probs.T)]
        if self.top_k:
            order = np.argsort(-calibrated_probs, axis=1, kind="stable")[:, : self.top_k]
            best = np.take_along_axis(calibrated_probs, order, axis=1)
            for classes, values in zip(order.T, best.T, strict=True):
                columns += [pa.array([names[i] for i in classes], pa.string())]
                columns += [pa.array(np.ascontiguousarray(values))]
        if tuning.ood is not None:
            columns += [pa.array(scores)]
        if self.abstains:
            sure = decision_certainty(self.label_mode, tuning, calibrated, decided).numpy()
            columns += [self._withheld(self._uncertain(sure) | self._unknown(scores))]
        if tuning.sets is not None:
            columns += self._sets(tuning.sets.hold(self.label_mode.options(calibrated).numpy()))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _sets(self, held: np.ndarray) -> list[pa.Array]:
        """Classes in each set; or labels that may be present, and those with another set than one.

        Args:
            held: the options in each answer's set, shape (N, A, K), bool.
        """
        names, several = self.label_mode.class_names, self.label_mode.multi_label
        shown = [held[..., 1], held.sum(axis=-1) != 1] if several else [held[:, 0]]
        return [pa.array(_names_of(names, each), KINDS["texts"]) for each in shown]

    def _uncertain(self, certainty: np.ndarray) -> np.ndarray:
        """Whether each answer is too uncertain to be given, shape (N, A), bool."""
        abstention = self.tuning.abstention
        if abstention is None:
            return np.zeros(certainty.shape, bool)
        return ~abstention.answers(certainty)

    def _unknown(self, scores: np.ndarray | None) -> np.ndarray:
        """Whether each image is taken for unknown, shape (N, 1) or (1, 1), bool."""
        if self.tuning.ood is None:
            return np.zeros((1, 1), bool)
        assert scores is not None
        return self.tuning.ood.unknown(scores)[:, None]

    def _withheld(self, withheld: np.ndarray) -> pa.Array:
        """Whether a sample's answer is withheld, or the labels whose answers are; (N, A), bool."""
        kind = self.schema.field("abstain").type
        if not self.label_mode.multi_label:
            return pa.array(withheld[:, 0], kind)
        return pa.array(_names_of(self.label_mode.class_names, withheld), kind)


def decision_names(
    class_names: tuple[str, ...], decided: np.ndarray
) -> list[str] | list[list[str]]:
    """Names of decisions that are encoded like targets.

    Args:
        class_names: C names.
        decided: class indices (N,), or rows of 0 and 1 (N, C).

    Returns:
        One name for each image, or one list of names.
    """
    if decided.ndim == 1:
        return [class_names[index] for index in decided]
    return _names_of(class_names, decided)


def _names_of(class_names: tuple[str, ...], rows: np.ndarray) -> list[list[str]]:
    return [[class_names[index] for index in np.flatnonzero(row)] for row in rows]
