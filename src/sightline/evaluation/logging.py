"""Logging of slices, of robustness and of images seen in training to a run."""

from collections.abc import Sequence

from sightline.evaluation.seen import Seen
from sightline.evaluation.target import Corrupted
from sightline.io.csv_files import to_csv
from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.robustness import curves, robustness_rows
from sightline.metrics.slices import Slices
from sightline.predictions import Predictions
from sightline.reports.canvas import to_png
from sightline.reports.figures.robustness import draw_robustness
from sightline.reports.figures.slices import draw_slices
from sightline.tracking.mlflow.tags import evaluated_seen
from sightline.tracking.tracker import Tracker

CURVE = "accuracy"  # a headline metric of every label mode


def log_slices(
    tracker: Tracker, name: str, prefix: str, slices: Slices, whole: Evaluation, step: int
) -> None:
    """Log the slices of a column: a table, a figure, and the worst one, where one is worse than the
    rest by more than chance, as tag and metric."""
    rows, metric, worst = slices.rows(), slices.metric, slices.worst
    column = "".join(c if c.isalnum() or c in "_-" else "_" for c in slices.column)
    path = f"slices/{name}_{column}"
    record = {"column": slices.column, "metric": metric, "worst": worst, "small": slices.small}
    found = {value: each.record() for value, each in slices.found.items()}
    tracker.log_json(record | {"slices": found}, f"{path}.json")
    tracker.log_data(to_csv(rows), f"{path}.csv")
    title = f"{name}: {slices.column}"
    figure = draw_slices(rows, metric, whole.metrics[metric], title)
    tracker.log_png(to_png(figure), f"{path}.png")
    if worst is None:
        return
    tracker.set_tags({f"{prefix}.worst_slice.{column}": worst})
    value = slices.found[worst].metrics[metric]
    tracker.log_metrics({f"{prefix}/worst_slice_{column}_{metric}": value}, step, overwrite=True)


def log_seen(tracker: Tracker, name: str, prefix: str, seen: Seen, step: int) -> None:
    """Log how many images were in the run's train or val: a record, a tag and metrics."""
    record = {"samples": len(seen.where), **seen.counts, "compared": seen.compared or None,
              "unchecked": seen.unchecked or None}  # fmt: skip
    tracker.log_json(record, f"seen/{name}.json")
    tracker.set_tags({evaluated_seen(name): seen.describe()})
    if seen.compared:
        counts = {f"{prefix}/seen_in_{split}": float(n) for split, n in seen.counts.items()}
        tracker.log_metrics(counts, step, overwrite=True)


def log_robustness(
    tracker: Tracker, label_mode: LabelMode, name: str, prefix: str, clean: Predictions,
    corrupted: Corrupted, plugins: Sequence[str] = (),
) -> None:  # fmt: skip
    """Log robustness: a table, a figure, and a metric over severities for each corruption."""
    rows = robustness_rows(label_mode, clean, corrupted, plugins)
    tracker.log_data(to_csv(rows), f"robustness/{name}.csv")
    found = curves(rows, CURVE)
    figure = draw_robustness(found, CURVE, f"{name} under common corruptions, default rule")
    tracker.log_png(to_png(figure), f"robustness/{name}.png")  # fmt: skip
    for severity in range(len(found["mean"])):
        values = {f"{prefix}_robustness/{key}": curve[severity] for key, curve in found.items()}
        tracker.log_metrics(values, step=severity, overwrite=True)
