"""One training, top-down: set up, start a run, fit, evaluate the best checkpoint, report."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from sightline.components import build
from sightline.config import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.evaluation.tuning import fit_tuning
from sightline.predictions import with_metadata
from sightline.run_folder import freeze
from sightline.tracking.connection import Connection
from sightline.tracking.start import begin_run, describe_run
from sightline.tracking.tracker import Tracker
from sightline.training.callbacks import (
    TrackEpochs,
    keeping_callbacks,
    progress_callbacks,
)
from sightline.training.devices import check_devices
from sightline.training.interruption import StopAtBatch
from sightline.training.keep_tuning import keep_tuning
from sightline.training.results import Results, publish_results
from sightline.training.setup import Setup, set_up

log = logging.getLogger(__name__)


def train(config: TrainConfig, job: Job, connection: Connection | None) -> dict[str, Any] | None:
    """Train, evaluate and log one model; in further processes of a ddp training, only take part.

    Returns:
        What `results.json` holds.

    Args:
        config: what to train.
        job: where, and how it was asked for.
        connection: to the process that sends to MLflow; None in further processes.

    Raises:
        UserError: the config cannot be run; no MLflow run is started.
        Interrupted: the run was stopped by a signal; it is KILLED in MLflow.
    """
    quiet_libraries()
    check_devices(config.trainer, job.in_sweep)
    stop = StopAtBatch(job.output_dir / "checkpoints" / "last.ckpt")
    with stop.installed():
        pl.seed_everything(config.seed, workers=True, verbose=False)
        build_trainer(config, [], job)  # what it refuses is found before anything is spent
        if connection is None:
            _fit_and_evaluate(config, job, set_up(config), [stop])
            return None
        connection.wait_until_ready()
        setup = set_up(config)
        tracker = Tracker(job.output_dir)
        freeze(config, job)
        begin_run(tracker, connection, config, job)
        with _truthful_status(tracker):
            describe_run(tracker, config, job, setup)
            callbacks = [stop, TrackEpochs(tracker, connection), *progress_callbacks()]
            results = _fit_and_evaluate(config, job, setup, callbacks)
            reached = publish_results(tracker, config, setup, results)
    return reached


def _fit_and_evaluate(
    config: TrainConfig, job: Job, setup: Setup, callbacks: list[Callback]
) -> Results:
    checkpoints = job.output_dir / "checkpoints"
    trainer = build_trainer(config, [*keeping_callbacks(config, checkpoints), *callbacks], job)
    trainer.fit(setup.module, datamodule=setup.datamodule)
    best = checkpoints / "best.ckpt"
    if not best.is_file():
        raise UserError(f"No checkpoint was written to {checkpoints}: nothing was validated.")
    evaluate_test = config.evaluate_test
    if evaluate_test == "auto":
        evaluate_test = not job.in_sweep
    evaluations = {"val": trainer.validate, "test": trainer.test}
    metrics = {}
    for split, evaluate in evaluations.items():
        if split == "val" or evaluate_test:
            setup.module.epoch_metrics.clear()
            evaluate(
                setup.module, datamodule=setup.datamodule, ckpt_path=best, verbose=False,
                weights_only=True,
            )  # fmt: skip
            prefix = f"{split}/"
            values = setup.module.epoch_metrics.items()
            metrics[split] = {key.removeprefix(prefix): value for key, value in values}
    epoch = int(torch.load(best, map_location="cpu", weights_only=True)["epoch"])
    predictions = {
        split: with_metadata(setup.module.predictions[split], setup.splits[split].metadata)
        for split in metrics
    }
    tuning = fit_tuning(setup.label_mode, predictions["val"], config.tuning)
    if trainer.is_global_zero:
        keep_tuning(best, tuning)
    losses = {split: values["loss"] for split, values in metrics.items()}
    return Results(losses, predictions, tuning, epoch, trainer.current_epoch)


def build_trainer(config: TrainConfig, callbacks: list[Callback], job: Job) -> Trainer:
    """The Trainer that the config describes, with what Sightline itself decides."""
    own = {
        "callbacks": callbacks,
        "logger": False,
        "default_root_dir": str(job.output_dir),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks),
        "num_sanity_val_steps": 0,  # its values would leak into the first epoch's
    }
    try:
        trainer = build(config.trainer, "trainer", config.plugins, own)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error
    assert isinstance(trainer, Trainer)
    return trainer


@contextmanager
def _truthful_status(tracker: Tracker) -> Iterator[None]:
    """FINISHED, KILLED for a signal, FAILED with the error's text: whatever really happened."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        signum = error.signum if isinstance(error, Interrupted) else 2
        tracker.tags({"error": f"stopped by signal {signum}"})
        _keep_checkpoints(tracker)
        tracker.finish("KILLED")
        raise
    except BaseException as error:
        tracker.tags({"error": f"{type(error).__name__}: {error}"})
        _keep_checkpoints(tracker)
        tracker.finish("FAILED")
        raise
    tracker.finish("FINISHED")


def _keep_checkpoints(tracker: Tracker) -> None:
    for path in sorted((tracker.folder / "checkpoints").glob("*.ckpt")):
        tracker.artifact(str(path.relative_to(tracker.folder)))


def quiet_libraries() -> None:
    """Let libraries say things once, in the tool's own words."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning's own use of torch, which is newer than it.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    # Advice about loaders and tensor cores, which the config decides.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
