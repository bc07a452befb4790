"""What a finished training leaves behind: tables, figures, best values and a note."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich import get_console

from sightline.config.schema import Job, TrainConfig
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.tuning import Tuning, tuning_record
from sightline.predictions import Predictions
from sightline.reports.words import metrics_table, results_in_words
from sightline.runs.journal.upload import RunLocation
from sightline.tracking.description import note
from sightline.tracking.mlflow.links import run_link, view_links
from sightline.tracking.tracker import Tracker
from sightline.training.logging.evaluation import SECTIONS, count_test_look, log_evaluation
from sightline.training.logging.final_report import log_training_report
from sightline.training.logging.start import facts
from sightline.training.setup import Setup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Results:
    """What the best checkpoint reaches.

    Attributes:
        losses: of each evaluated split, by the training's own criterion.
        predictions: the table of each evaluated split.
        tuning: what was fitted on val.
        best_epoch: epoch of the best checkpoint, from 0.
        epochs: how many epochs were trained.
        stopped_early: whether that was fewer than asked for.
    """

    losses: dict[str, float]
    predictions: dict[str, Predictions]
    tuning: Tuning
    best_epoch: int
    epochs: int
    stopped_early: bool


def publish_results(
    tracker: Tracker, config: TrainConfig, setup: Setup, results: Results
) -> dict[str, Any]:
    """Send what the best checkpoint reaches: val under `val_best/`, test under `test/`.

    Returns:
        What `results.json` holds.
    """
    last_epoch = results.epochs - 1
    summary = {"val_best/epoch": float(results.best_epoch), "epochs": float(results.epochs)}
    summary["val_best/temperature"] = results.tuning.temperature
    summary |= {f"{SECTIONS[split]}/loss": loss for split, loss in results.losses.items()}
    tracker.log_metrics(summary, step=last_epoch)
    found = {
        split: evaluate_table(setup.label_mode, table, results.tuning)
        for split, table in results.predictions.items()
    }
    reached: dict[str, Any] = {"metrics": {}, "intervals": {}}
    for split, each in found.items():
        table = results.predictions[split]
        log_evaluation(tracker, setup.label_mode, split, SECTIONS[split], table, each, last_epoch)
        headlines = {name: each.metrics[name] for name in each.headlines}
        reached["metrics"][split] = {"loss": results.losses[split]} | headlines
        reached["intervals"][split] = each.interval_ends()
    if "test" in found:
        count_test_look(tracker, tracker.before.tags)
    tracker.log_json(tuning_record(setup.label_mode, results.tuning), "tuning.json")
    log_training_report(tracker, config, setup, results.predictions, found, results.best_epoch)
    for name in ("best", "last"):
        tracker.log_artifact(f"checkpoints/{name}.ckpt")
    mode = setup.label_mode
    tracker.log_model_checkpoint(
        "checkpoints/best.ckpt", mode.class_names, mode.multi_label, config.plugins,
        results.best_epoch,
    )  # fmt: skip
    about = facts(config, setup) | {
        "training": f"{results.epochs} epochs, best {config.monitor} in epoch "
        f"{results.best_epoch + 1}; the figures below are of that checkpoint",
    }
    reached |= {
        "best_epoch": results.best_epoch,
        "epochs": results.epochs,
        "stopped_early": results.stopped_early,
        "parameters": sum(parameter.numel() for parameter in setup.module.parameters()),
    }
    tracker.log_json(reached, "results.json")
    tracker.set_tags({"mlflow.note.content": note(about, results_in_words(reached))})
    return reached


def announce(job: Job, run: RunLocation | None, results: Mapping[str, Any]) -> None:
    """The command's last words: metrics, the run's id and where to look at it.

    Args:
        job: where it ran.
        run: where it is in MLflow.
        results: as `results.json` holds them.
    """
    words = {
        f"{split} (best checkpoint)": cells for split, cells in results_in_words(results).items()
    }
    get_console().print(metrics_table(words))
    log.info("MLflow run:       %s", run.run_id if run else "not in MLflow yet")
    folder = job.output_dir
    log.info("folder:           %s", folder)
    if run is None or job.in_sweep:
        return
    if not run.uri.startswith("http"):
        log.info("open the UI:      make ui   (outside the checkout: sightline ui)")
    links = {"this run": run_link(run.uri, run.experiment_id, run.run_id)}
    for name, link in (links | view_links(run.uri, run.experiment_id)).items():
        log.info("%s %s", f"{name}:".ljust(17), link)
