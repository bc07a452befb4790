"""From probabilities to the rows that people read: what was decided, and how sure it is."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.tuning import Tuning


@dataclass(frozen=True)
class Decisions:
    """How a model decisions.

    Attributes:
        label_mode: of the model.
        tuning: temperature and thresholds, or those of a model that was not tuned.
        top_k: how many of the most probable classes are named beside the decision; 0: none.
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
        """`pred`, `prob_CLASS` for each class, `top_K` and `prob_top_K`."""
        several = self.label_mode.multi_label
        fields = [pa.field("pred", pa.list_(pa.string()) if several else pa.string())]
        fields += [pa.field(f"prob_{name}", pa.float32()) for name in self.label_mode.class_names]
        for rank in range(1, self.top_k + 1):
            fields += [pa.field(f"top_{rank}", pa.string())]
            fields += [pa.field(f"prob_top_{rank}", pa.float32())]
        return pa.schema(fields)

    def rows(self, probs: np.ndarray) -> pa.RecordBatch:
        """The answers to N images.

        Args:
            probs: shape (N, C), before calibration.
        """
        names = self.label_mode.class_names
        calibrated = torch.from_numpy(np.ascontiguousarray(probs))
        if self.tuning.temperature != 1:
            calibrated = self.label_mode.calibrate(calibrated, self.tuning.temperature)
        decided = self.label_mode.decide(calibrated, self.tuning.thresholds).numpy()
        calibrated_probs = calibrated.to(torch.float32).numpy()
        columns = [pa.array(decide_names(names, decided), self.schema.field("pred").type)]
        columns += [pa.array(column) for column in np.ascontiguousarray(calibrated_probs.T)]
        if self.top_k:
            order = np.argsort(-calibrated_probs, axis=1, kind="stable")[:, : self.top_k]
            best = np.take_along_axis(calibrated_probs, order, axis=1)
            for classes, values in zip(order.T, best.T, strict=True):
                columns += [pa.array([names[i] for i in classes], pa.string())]
                columns += [pa.array(np.ascontiguousarray(values))]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def decide_names(class_names: tuple[str, ...], decided: np.ndarray) -> list[str] | list[list[str]]:
    """Decisions in the form of encoded targets as names: one an image, or the list of labels."""
    if decided.ndim == 1:
        return [class_names[index] for index in decided]
    return [[class_names[index] for index in np.flatnonzero(row)] for row in decided]
