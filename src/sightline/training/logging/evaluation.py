"""The log of an evaluated split: metrics, tables, figures."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sightline.io.csv_files import to_csv
from sightline.label_modes.base import ConfusionMatrix, LabelMode
from sightline.metrics.evaluation import Evaluation
from sightline.predictions import Predictions
from sightline.reports.canvas import to_png
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.figures.confusion import TITLES, draw_confusion
from sightline.tracking.mlflow.tags import LOOKS
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)

# Where metrics of a split are logged; train/ and val/ hold the epochs' values.
SECTIONS = {"train": "train_best", "val": "val_best", "test": "test"}


def log_evaluation(
    tracker: Tracker,
    label_mode: LabelMode,
    name: str,
    prefix: str,
    table: Predictions,
    evaluation: Evaluation,
    step: int,
    known: Mapping[str, float] | None = None,
) -> None:
    """Log an evaluation.

    Args:
        tracker: of the run.
        label_mode: of the table.
        name: of the artifacts: a split, or other data's name.
        prefix: of the metrics' keys.
        table: what was evaluated.
        evaluation: of it.
        step: of the metrics.
        known: the run's metrics where it was evaluated before; only changed values are logged.
    """
    keys = {f"{prefix}/{key}": value for key, value in evaluation.metrics.items()}
    if known is not None:
        keys = {key: value for key, value in keys.items() if known.get(key) != value}
    tracker.log_metrics(keys, step=step, overwrite=known is not None)
    path = f"predictions/{name}.parquet"
    table.write(tracker.file(path))
    tracker.log_artifact(path)
    tracker.log_json({"name": name, **evaluation.record()}, f"metrics/{name}.json")
    tracker.log_data(to_csv(evaluation.rows()), f"metrics/{name}.csv")
    tracker.log_data(to_csv(evaluation.per_class), f"per_class/{name}.csv")
    tracker.log_data(to_csv(evaluation.reliability), f"calibration/{name}.csv")
    decided = EvaluatedSplit(name, label_mode, table, evaluation.tuning, evaluation.parts)
    _log_confusion(tracker, decided)
    if evaluation.absent:
        log.warning("On %s, no samples of %s: left out of the averages.",
                    name, ", ".join(evaluation.absent[:20]))  # fmt: skip
    if evaluation.undefined:
        log.warning("On %s, without a class present: no %s.", name, ", ".join(evaluation.undefined))


def count_test_look(tracker: Tracker, before: Mapping[str, str]) -> int:
    """Count one more look at the run's test split.

    Args:
        tracker: of the run.
        before: the run's tags.
    """
    looks = int(before.get(LOOKS, "0")) + 1
    tracker.set_tags({LOOKS: str(looks)})
    return looks


def _log_confusion(tracker: Tracker, evaluated: EvaluatedSplit) -> None:
    """Matrices of the decisions by the run's rule."""
    name, matrices, tuning = evaluated.split, evaluated.matrices, evaluated.tuning
    record = {
        "split": name,
        "samples": len(evaluated.table),
        "decision_rule": tuning.rule,
        "accuracy": f"accuracy{tuning.suffix}",  # the metric of the same decisions
        "matrices": _confusion_record(matrices),
    }
    tracker.log_json(record, f"confusion_matrix/{name}.json")
    for by, words in TITLES.items():
        suffix = "" if by == "count" else f"_by_{by}"
        figure = draw_confusion(matrices, f"{name}: {words}, {evaluated.rule}", by)
        tracker.log_png(to_png(figure), f"confusion_matrix/{name}{suffix}.png")


def _confusion_record(matrices: Sequence[ConfusionMatrix]) -> list[dict[str, Any]]:
    """The matrices for JSON: rows are targets, columns are decisions."""
    return [
        {
            "title": matrix.title,
            "rows": list(matrix.rows),
            "columns": list(matrix.columns),
            "counts": matrix.counts.tolist(),
            "total": int(matrix.counts.sum()),
            "sums_to_n": matrix.sums_to_n,
        }
        for matrix in matrices
    ]
