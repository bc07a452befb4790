"""Settings of one evaluation: samples, views of them, metrics, and where results are logged."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of one evaluation.

    Attributes:
        split: whose samples are evaluated.
        name: of other data, in the metrics' names; None for the data set's own.
        slices: metadata columns; metrics are computed for each value of them.
        slice_metric: that slices are compared by; None for the default.
        min_slice: samples below which a slice is not compared.
        robustness: whether common corruptions are evaluated.
        tta: views of each image whose probabilities are averaged.
        report: whether report.html is written.
        new_run: whether a new run logs the results.
        exclude_seen: whether images of other data that were in the run's train or val are left out.
        predict_again: whether the stored predictions are ignored.
        device: auto, cpu, cuda or cuda:1.
        plugins: packages that may build the model.
    """

    split: Literal["train", "val", "test"]
    name: str | None
    slices: tuple[str, ...]
    slice_metric: str | None
    min_slice: int
    robustness: bool
    tta: tuple[Literal["flip", "shift"], ...]
    report: bool
    new_run: bool
    exclude_seen: bool
    predict_again: bool
    device: str
    plugins: tuple[str, ...]
