"""One training, top-down: set up, start a run, fit, evaluate the best checkpoint, report."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from sightline.cluster.requeue import watch
from sightline.config.components import build
from sightline.config.schema import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.metrics.tuning import fit_tuning
from sightline.predictions import with_metadata
from sightline.runs.folder import BEST, LAST, RunFolder
from sightline.runs.resume import check_same_data
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.agreement import SameConfig
from sightline.training.callbacks import EpochLogger, checkpoint_callbacks, progress_callbacks
from sightline.training.checkpointing.files import (
    AtomicCheckpointIO,
    Progress,
    damage,
    find_checkpoint,
    read_progress,
)
from sightline.training.checkpointing.tuning import save_tuning
from sightline.training.devices import check_devices
from sightline.training.logging.results import Results, publish_results
from sightline.training.logging.start import begin_run, describe_run
from sightline.training.setup import Setup, set_up
from sightline.training.signals import Signals

log = logging.getLogger(__name__)


def train(
    config: TrainConfig, job: Job, folder: RunFolder, connection: SenderClient | None
) -> dict[str, Any] | None:
    """Train, evaluate and log one model; in further processes of a ddp training, only take part.

    Returns:
        What `results.json` holds.

    Args:
        config: what to train.
        job: where, and how it was asked for.
        folder: the run's own.
        connection: to the process that sends to MLflow; None in further processes.

    Raises:
        UserError: the config cannot be run; no MLflow run is started.
        Interrupted: the run was stopped by a signal; it is KILLED in MLflow.
    """
    quiet_libraries()
    check_devices(config.trainer)
    signals = Signals()
    with signals.installed():
        pl.seed_everything(config.seed, workers=True, verbose=False)
        build_trainer(config, [], job)  # what it refuses is found before anything is spent
        if connection is None:
            _fit_and_evaluate(config, job, folder, set_up(config), signals, [])
            return None
        connection.wait_until_ready()
        setup = set_up(config)
        data = setup.data_digests()
        check_same_data(folder.frozen, data)
        tracker = Tracker(folder)
        folder.freeze(config, job, data)
        begin_run(tracker, connection, config, job)
        with _run_status(tracker):
            describe_run(tracker, config, job, setup)
            callbacks = [EpochLogger(tracker, connection), *progress_callbacks()]
            results = _fit_and_evaluate(config, job, folder, setup, signals, callbacks)
            reached = publish_results(tracker, config, setup, results)
    return reached


def _fit_and_evaluate(
    config: TrainConfig,
    job: Job,
    folder: RunFolder,
    setup: Setup,
    signals: Signals,
    callbacks: list[Callback],
) -> Results:
    begun = find_checkpoint(folder.last)
    watch(folder.last)
    keeping = checkpoint_callbacks(config, folder, signals)
    trainer = build_trainer(
        config, [SameConfig(config), *keeping, *callbacks], job, begun in (None, folder.last)
    )
    progress = _fit(trainer, setup, begun)
    best = folder.best
    problem = damage(best) if best.is_file() else "nothing was validated"
    if problem is not None:
        raise UserError(f"There is no checkpoint {best} to evaluate: {problem}.")
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
        save_tuning(best, tuning)
    losses = {split: values["loss"] for split, values in metrics.items()}
    return Results(losses, predictions, tuning, epoch, progress.epochs, progress.over)


def _fit(trainer: Trainer, setup: Setup, begun: Path | None) -> Progress:
    """Train, or go on; how far it came."""
    if begun is not None:
        progress = read_progress(begun)
        if progress.over or 0 < (trainer.max_epochs or -1) <= progress.epochs:
            log.info("training: done before, %d epochs", progress.epochs)
            return progress
        log.info("training: goes on in epoch %d, after step %d", progress.epochs + 1, progress.step)
    trainer.fit(setup.module, datamodule=setup.datamodule, ckpt_path=begun, weights_only=True)
    epochs: Any = trainer.fit_loop.epoch_progress.current
    return Progress(epochs.processed, trainer.global_step, trainer.should_stop)


def build_trainer(
    config: TrainConfig, callbacks: list[Callback], job: Job, last_is_sound: bool = True
) -> Trainer:
    """The Trainer that the config describes, with what Sightline itself decides.

    Args:
        config: of the training.
        callbacks: all of them.
        job: where it runs.
        last_is_sound: whether its last checkpoint may be kept as the one before.
    """
    own = {
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO(last_is_sound)],
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
    # Lightning's own handlers end a run with status 0, requeue, and talk to other ranks inside.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


@contextmanager
def _run_status(tracker: Tracker) -> Iterator[None]:
    """FINISHED, KILLED for a signal, FAILED with the error's text: whatever really happened."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        signum = error.signum if isinstance(error, Interrupted) else 2
        pruned = tracker.folder.pruned
        tracker.set_tags({"pruned": pruned} if pruned else {"error": f"stopped by signal {signum}"})
        _keep_checkpoints(tracker)
        tracker.finish("KILLED")
        raise
    except BaseException as error:
        tracker.set_tags({"error": f"{type(error).__name__}: {error}"})
        _keep_checkpoints(tracker)
        tracker.finish("FAILED")
        raise
    tracker.finish("FINISHED")


def _keep_checkpoints(tracker: Tracker) -> None:
    for path in (BEST, LAST):
        if (tracker.folder.path / path).is_file():
            tracker.log_artifact(path)


def quiet_libraries() -> None:
    """Let libraries say things once, in the tool's own words."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning's own use of torch, which is newer than it.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    # Advice about loaders, tensor cores and srun, which the config decides.
    warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Samples that a sampler repeats are counted once here.
    warnings.filterwarnings("ignore", message=".*Using `DistributedSampler`.*")
    warnings.filterwarnings("ignore", message=".*functional.all_gather is deprecated.*")
    warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*functional.all_gather is deprecated.*")
    # It is, by its sampler, which Lightning does not know of.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
