"""What a finished training leaves behind: tables, figures, best values and a note."""

import logging
from dataclasses import dataclass

from rich import box, get_console
from rich.table import Table

from sightline.config import Job, TrainConfig
from sightline.evaluation.metrics import per_class_rows, undefined_metrics
from sightline.predictions import Predictions
from sightline.reports.confusion import confusion_record, draw_confusion
from sightline.reports.per_class import per_class_csv
from sightline.tracking.connection import RunInStore
from sightline.tracking.describe import note
from sightline.tracking.links import run_link, view_links
from sightline.tracking.outbox import count_pending
from sightline.tracking.start import facts
from sightline.tracking.tracker import Tracker
from sightline.training.setup import Setup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Results:
    """What the best checkpoint reaches.

    Attributes:
        metrics: for each evaluated split, name to value.
        predictions: the table of each evaluated split.
        best_epoch: epoch of the best checkpoint, from 0.
        epochs: how many epochs were trained.
        stopped_early: whether that was fewer than asked for.
    """

    metrics: dict[str, dict[str, float]]
    predictions: dict[str, Predictions]
    best_epoch: int
    epochs: int
    stopped_early: bool


def publish_results(tracker: Tracker, config: TrainConfig, setup: Setup, results: Results) -> None:
    """Send what the best checkpoint reaches: val under `val_best/`, test under `test/`."""
    last_epoch = results.epochs - 1
    best = {f"val_best/{name}": value for name, value in results.metrics["val"].items()}
    test = {f"test/{name}": value for name, value in results.metrics.get("test", {}).items()}
    summary = {"val_best/epoch": float(results.best_epoch), "epochs": float(results.epochs)}
    tracker.metrics(best | test | summary, step=last_epoch)
    for split, table in results.predictions.items():
        _publish_split(tracker, setup, split, table)
    for name in ("best", "last"):
        tracker.artifact(f"checkpoints/{name}.ckpt")
    tracker.model("checkpoints/best.ckpt", setup.label_mode.class_names)
    about = facts(config, setup) | {
        "training": f"{results.epochs} epochs, best {config.monitor} in epoch "
        f"{results.best_epoch + 1}; the figures below are of that checkpoint",
    }
    reached = {
        "metrics": results.metrics,
        "best_epoch": results.best_epoch,
        "epochs": results.epochs,
        "stopped_early": results.stopped_early,
    }
    tracker.json(reached, "results.json")
    tracker.tags({"mlflow.note.content": note(about, results.metrics)})


def _publish_split(tracker: Tracker, setup: Setup, split: str, table: Predictions) -> None:
    path = f"predictions/{split}.parquet"
    table.write(tracker.folder / path)
    tracker.artifact(path)
    matrices = setup.label_mode.confusion_matrices(table)
    record = {"split": split, "samples": len(table), "matrices": confusion_record(matrices)}
    tracker.json(record, f"confusion_matrix/{split}.json")
    for suffix, normalize in (("", False), ("_normalized", True)):
        title = f"{split}, {'shares of each row' if normalize else 'counts'}"
        figure = draw_confusion(matrices, title, normalize)
        tracker.figure(figure, f"confusion_matrix/{split}{suffix}.png")
    rows = per_class_rows(setup.label_mode, table)
    tracker.text(per_class_csv(rows), f"per_class/{split}.csv")
    undefined = undefined_metrics(setup.label_mode, table)
    if undefined:
        log.warning("On %s, without a class present: no %s.", split, ", ".join(undefined))


def announce(job: Job, run: RunInStore | None, metrics: dict[str, dict[str, float]]) -> None:
    """The command's last words: metrics, the run's id and where to look at it."""
    table = Table(box=box.SIMPLE_HEAD, title=None)
    table.add_column("metric")
    for split in metrics:
        table.add_column(f"{split} (best checkpoint)", justify="right")
    for name in dict.fromkeys(n for named in metrics.values() for n in named):
        cells = [f"{m[name]:.4f}" if name in m else "" for m in metrics.values()]
        table.add_row(name, *cells)
    get_console().print(table)
    log.info("MLflow run:       %s", run.run_id if run else "not in MLflow yet")
    folder = job.output_dir
    log.info("folder:           %s", folder)
    pending = count_pending(folder)
    if pending:
        log.warning("pending:          %d records; `sightline sync %s` sends them", pending, folder)
    if run is None or job.in_sweep:
        return
    if not run.uri.startswith("http"):
        log.info("open the UI:      make ui   (outside the checkout: sightline ui)")
    links = {"this run": run_link(run.uri, run.experiment_id, run.run_id)}
    for name, link in (links | view_links(run.uri, run.experiment_id)).items():
        log.info("%s %s", f"{name}:".ljust(17), link)
