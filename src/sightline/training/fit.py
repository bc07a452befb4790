"""The fit of a run, resumed where a checkpoint is, and the evaluation of its best checkpoint."""

import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from pytorch_lightning import Callback, Trainer

from sightline.cluster.ranks import rank
from sightline.cluster.requeue import watch
from sightline.config.job_words import job_words
from sightline.config.schema import TrainConfig
from sightline.errors import DamagedError, UserError, counted
from sightline.io.atomic import atomic_path
from sightline.metrics.fitted_tuning import fit_on_val
from sightline.metrics.tuning import Tuning
from sightline.models.weight_file import zip_damage
from sightline.predictions import Predictions, with_columns
from sightline.runs.folder import RunFolder
from sightline.runs.hidden import environment_for
from sightline.runs.resume import resume_command
from sightline.training.agreement import SameConfig
from sightline.training.callbacks import checkpoint_callbacks
from sightline.training.checkpointing.files import Progress, find_checkpoint, read_progress
from sightline.training.checkpointing.tuning import save_tuning
from sightline.training.finished_average import finish_average
from sightline.training.lightning_compat import finished_epochs, start_ranks_with
from sightline.training.memory import out_of_memory_named
from sightline.training.prior_shift import prior_shift
from sightline.training.rank_failures import failures_named
from sightline.training.rank_processes import RankProcesses
from sightline.training.setup import Setup
from sightline.training.sharded import load_weights
from sightline.training.signals import Signals
from sightline.training.trainer import build_trainer, refusals_named

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Results:
    """The results of the best checkpoint.

    Attributes:
        losses: of each evaluated split, by the training's own criterion.
        predictions: the table of each evaluated split.
        tuning: fitted on val.
        best_epoch: epoch of the best checkpoint, from 0.
        epochs: how many epochs were trained.
        stopped_early: whether that was fewer than requested.
        raw: metrics of the trained weights, where those of the checkpoint are an average:
            `val_raw/NAME`.
    """

    losses: dict[str, float]
    predictions: dict[str, Predictions]
    tuning: Tuning
    best_epoch: int
    epochs: int
    stopped_early: bool
    raw: dict[str, float]


def fit_and_evaluate(
    config: TrainConfig, folder: RunFolder, setup: Setup, signals: Signals,
    callbacks: list[Callback], with_test: bool,
) -> Results:  # fmt: skip
    """Fit, evaluate the best checkpoint on val (and test), and write its tuning into it.

    Args:
        config: of the training.
        folder: the run's own.
        setup: what is trained.
        signals: installed.
        callbacks: for logging.
        with_test: whether the test split is evaluated.

    Raises:
        UserError: nothing was trained, the best checkpoint is damaged, or another rank failed.
    """
    start = find_checkpoint(folder.last)
    watch(folder.last)
    first, *deciding = checkpoint_callbacks(config, folder, signals)
    callbacks = [first, SameConfig(config), *setup.callbacks, *deciding, *callbacks]
    sound = start in (None, folder.last)
    trainer = build_trainer(config, callbacks, folder, setup.speed.precision, sound)
    command = [sys.executable, "-m", "sightline.cli", "job", str(folder), *job_words([config])]
    ranks = RankProcesses(command, environment_for([config]))
    start_ranks_with(trainer, ranks.start)
    with failures_named(ranks, rank(), resume_command(folder, config.plugins)):
        return _fit_and_evaluate(trainer, config, folder, setup, start, with_test)


def _fit_and_evaluate(
    trainer: Trainer, config: TrainConfig, folder: RunFolder, setup: Setup, start: Path | None,
    with_test: bool,
) -> Results:  # fmt: skip
    progress = _fit(trainer, setup, start)
    best = _best_checkpoint(trainer, folder)
    if config.swa.start_epoch is not None:
        finish_average(trainer, setup, folder)
    splits = ("val", "test") if with_test else ("val",)
    raw = _evaluate_trained(trainer, setup, splits, best)
    losses, predictions = {}, {}
    for split in splits:
        losses[split] = _evaluate(trainer, setup, split, best)
        predictions[split] = _with_columns(setup.module.predictions[split], setup, split)
    epoch = int(torch.load(best, map_location="cpu", weights_only=True)["epoch"])
    targets = None if setup.source.stream else setup.splits["train"].targets
    sampler, criterion = config.data_common.sampler, setup.module.criterion
    shift = prior_shift(setup.label_mode, criterion, targets, sampler)
    tuning = fit_on_val(setup.label_mode, predictions["val"], config.tuning, shift)
    if trainer.is_global_zero:
        save_tuning(folder, tuning)
    return Results(losses, predictions, tuning, epoch, progress.epochs, progress.over, raw)


def _best_checkpoint(trainer: Trainer, folder: RunFolder) -> Path:
    """The best checkpoint; the last one where there was no validation.

    Raises:
        UserError: nothing was trained, or it is damaged.
    """
    best = folder.best
    if not best.is_file() and not folder.last.is_file():
        raise UserError(
            "trainer.max_time: nothing was trained, since the time was over at the start."
        )
    if not best.is_file() and trainer.is_global_zero:
        log.warning("The training ended before its first validation: its last weights are taken.")
        with atomic_path(best) as partial:
            shutil.copyfile(folder.last, partial)
            folder.check_held()
    trainer.strategy.barrier()
    problem = zip_damage(best)
    if problem is not None:
        raise DamagedError(best, problem)
    return best


def _fit(trainer: Trainer, setup: Setup, start: Path | None) -> Progress:
    """Train, or resume from a checkpoint; the progress at the end."""
    if start is not None:
        progress = read_progress(start)
        if progress.over or 0 < (trainer.max_epochs or -1) <= progress.epochs:
            log.info("training: finished before, %s", counted(progress.epochs, "epoch"))
            return progress
        log.info("training: resumes in epoch %d, after step %d",
                 progress.epochs + 1, progress.step)  # fmt: skip
    with refusals_named(), out_of_memory_named(setup.config):
        trainer.fit(setup.module, datamodule=setup.datamodule, ckpt_path=start, weights_only=True)
    return Progress(finished_epochs(trainer), trainer.global_step, trainer.should_stop)


def _evaluate_trained(
    trainer: Trainer, setup: Setup, splits: tuple[str, ...], checkpoint: Path
) -> dict[str, float]:
    """Metrics of the trained weights beside whose average a checkpoint holds; else none."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    if "current_model_state" not in state:
        return {}
    found = {}
    for split in splits:
        load_weights(trainer, setup.module, state["current_model_state"])
        _evaluate(trainer, setup, split, None)
        for key, value in setup.module.epoch_metrics.items():
            found[key.replace(f"{split}/", f"{split}_raw/", 1)] = value
    return found


def _evaluate(trainer: Trainer, setup: Setup, split: str, checkpoint: Path | None) -> float:
    """Predict a split with a checkpoint's weights, or those that are loaded; the loss."""
    run = {"val": trainer.validate, "test": trainer.test}[split]
    setup.module.epoch_metrics.clear()
    with refusals_named(), out_of_memory_named(setup.config):
        run(
            setup.module, datamodule=setup.datamodule, ckpt_path=checkpoint, verbose=False,
            weights_only=True,
        )  # fmt: skip
    return setup.module.epoch_metrics[f"{split}/loss"]


def _with_columns(table: Predictions, setup: Setup, name: str) -> Predictions:
    """A split's table with its metadata and groups, also where only a part was evaluated."""
    split = setup.splits[name]
    if len(table) < len(split):
        log.warning(
            "%s: evaluated are %d of %s (trainer.limit_%s_batches); its results are of these.",
            name, len(table), counted(len(split), "sample"), name,
        )  # fmt: skip
        rows = pc.index_in(pa.array(table.ids.tolist(), pa.string()), split.ids)
        split = split.select(rows.to_numpy())
    return with_columns(table, split.metadata, split.groups)
