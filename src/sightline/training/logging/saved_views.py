"""Saved views of a training's task in MLflow, with the results that it will log."""

from collections.abc import Mapping

from sightline.config.schema import TrainConfig
from sightline.label_modes.base import LabelMode
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.monitor import monitor_mode
from sightline.metrics.tuning import Tuning
from sightline.tracking.mlflow.tags import result
from sightline.tracking.mlflow.views import task_views
from sightline.tracking.task import task_facts
from sightline.tracking.tracker import Tracker


def save_task_views(
    tracker: Tracker, config: TrainConfig, label_mode: LabelMode, params: Mapping[str, object]
) -> None:
    """Save the leaderboard and the curves of the runs of a training's task.

    Args:
        tracker: of the run.
        config: of the training.
        label_mode: of its data.
        params: that the run logs.
    """
    task = task_facts({key: str(value) for key, value in params.items()})
    first = headline_names(label_mode, Tuning(), config.plugins)[0]
    results = [result(split, first) for split in ("val", "test")]
    maximise = monitor_mode(config) == "max"
    for key, view in task_views(task, config.monitor, maximise, results).items():
        tracker.save_view(key, view)
