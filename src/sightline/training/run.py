"""One training, top-down: set up, start the run, fit, evaluate the best checkpoint, log results."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback

from sightline.config.schema import Job, TrainConfig
from sightline.errors import Interrupted
from sightline.runs.folder import BEST, LAST, RunFolder
from sightline.runs.lock import LockLostError
from sightline.runs.resume import check_same_data
from sightline.tracking.mlflow.tags import ERROR, PRUNED
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.checkpointing.intact import check_checkpoints
from sightline.training.devices import check_devices
from sightline.training.fit import fit_and_evaluate
from sightline.training.given import NOTHING, Given, check_processes
from sightline.training.logging.epochs import EpochLogger
from sightline.training.logging.lr_finder import find_lr
from sightline.training.logging.progress import progress_callbacks
from sightline.training.logging.results import log_results
from sightline.training.logging.schedule import ScheduleFigure
from sightline.training.logging.start import log_description, start_run
from sightline.training.logging.steps import StepLogger
from sightline.training.logging.val_images import ValImages
from sightline.training.optimizers import Optimizers
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import Setup, set_up
from sightline.training.signals import Signals
from sightline.training.speed import Speed, choose_speed
from sightline.training.trainer import build_trainer


def train(
    config: TrainConfig, job: Job, folder: RunFolder, connection: SenderClient | None,
    given: Given = NOTHING,
) -> dict[str, Any] | None:  # fmt: skip
    """Train, evaluate and log one model; in further processes of a ddp training, only take part.

    Args:
        config: of the training.
        job: where it runs, and by which command.
        folder: the run's own.
        connection: to the sender process; None in further processes.
        given: parts that Python code gives in place of a config's.

    Returns:
        The content of `results.json`; None in further processes.

    Raises:
        UserError: the config cannot be run; no MLflow run is started.
        Interrupted: a signal stopped the run; it is KILLED in MLflow.
    """
    quiet_libraries()
    check_checkpoints(folder)
    check_devices(config.trainer)
    with_test = not job.in_sweep if config.evaluate_test == "auto" else config.evaluate_test
    signals = Signals()
    with signals.installed():
        pl.seed_everything(config.seed, workers=True, verbose=False)
        # What Lightning refuses is found before anything is spent.
        speed, before = _choose_speed(config, folder)
        world_size = build_trainer(config, [], folder, speed.precision).world_size
        check_processes(given, world_size)
        if connection is None:
            setup = set_up(config, job.overrides, speed=speed, before=before, world_size=world_size)
            fit_and_evaluate(setup.config, folder, setup, signals, [], with_test)
            return None
        connection.wait_until_ready()
        setup = set_up(config, job.overrides, given, speed, before, world_size)
        data = setup.data_digests
        check_same_data(folder.frozen, data)
        tracker = Tracker(folder)
        folder.freeze(config, job, data)
        start_run(tracker, connection)
        with _run_status(tracker):
            log_description(tracker, setup, world_size)
            if config.lr_finder:
                find_lr(tracker, setup)
            callbacks = [*_loggers(tracker, connection, setup), *progress_callbacks()]
            results = fit_and_evaluate(setup.config, folder, setup, signals, callbacks, with_test)
            return log_results(tracker, setup.config, setup, results)


def _loggers(tracker: Tracker, connection: SenderClient, setup: Setup) -> list[Callback]:
    """What is logged while the model trains."""
    loggers: list[Callback] = [ScheduleFigure(tracker), EpochLogger(tracker, connection)]
    every_n_steps = setup.config.tracking.every_n_steps
    if every_n_steps is not None:
        loggers.append(StepLogger(tracker, every_n_steps, setup.config.monitor))
    if "val" in setup.splits:
        loggers.append(ValImages(tracker, setup.splits["val"]))
    return loggers


def _choose_speed(config: TrainConfig, folder: RunFolder) -> tuple[Speed, Mapping[str, str]]:
    """What the training uses, and the parameters of the run where it is resumed."""
    before = folder.state.params
    if not before:  # a run that is resumed may have had it as the default
        Optimizers(config).check_decay()
    speed = choose_speed(config, before)
    speed.set_tf32()
    return speed, before


@contextmanager
def _run_status(tracker: Tracker) -> Iterator[None]:
    """End the run as FINISHED, as KILLED for a signal, or as FAILED with the error's text."""
    try:
        yield
    except LockLostError:  # the run is another process's by now
        raise
    except (Interrupted, KeyboardInterrupt) as error:
        signum = error.signum if isinstance(error, Interrupted) else 2
        pruned = tracker.folder.pruned
        stopped = f"stopped by signal {signum}"
        tracker.set_tags({PRUNED: pruned} if pruned else {ERROR: stopped})
        _log_checkpoints(tracker)
        tracker.finish("KILLED")
        raise
    except BaseException as error:
        tracker.set_tags({ERROR: f"{type(error).__name__}: {error}"})
        _log_checkpoints(tracker)
        tracker.finish("FAILED")
        raise
    tracker.finish("FINISHED")


def _log_checkpoints(tracker: Tracker) -> None:
    for path in (BEST, LAST):
        if (tracker.folder.path / path).is_file():
            tracker.log_artifact(path)
