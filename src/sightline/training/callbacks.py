"""The callbacks of a training: the user's own, and those that decide, with checkpoints."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping, WeightAveraging

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.config.targets import hints_of, locate
from sightline.errors import UserError
from sightline.metrics.monitor import monitor_mode
from sightline.runs.folder import RunFolder
from sightline.training.averaging import AveragedWeights
from sightline.training.checkpointing.best import BestCheckpoint
from sightline.training.checkpointing.last import BeforeOthers, LastCheckpoint
from sightline.training.clipping import AdaptiveClipping
from sightline.training.schedule_free import AverageInEvaluation, is_schedule_free
from sightline.training.sharded_average import ShardedAverage, SharedStatistics
from sightline.training.sharded_checks import is_sharded
from sightline.training.signals import Signals
from sightline.training.stochastic_average import StochasticAverage
from sightline.training.unfreezing import Unfreezing


def user_callbacks(config: TrainConfig, given: Sequence[Callback] = ()) -> list[Callback]:
    """The callbacks that the config lists, and those that Python code gives.

    All other callbacks of a run come after them.

    Raises:
        UserError: one cannot be built, is none, has a state of the same name as another, or does
            what the run itself does.
    """
    found = {own.state_key: own for own in early_stopping(config)}
    built = []
    for index, node in enumerate(config.callbacks):
        _check_paths(node, f"callbacks[{index}]", config.plugins)
        built.append(build(node, f"callbacks[{index}]", config.plugins))
    listed = []
    for index, callback in enumerate([*built, *given]):
        where = f"callbacks[{index}]"
        if not isinstance(callback, Callback):
            raise UserError(
                f"{where} is a {type(callback).__name__}; expected a Callback of pytorch_lightning."
            )
        if isinstance(callback, WeightAveraging):
            raise UserError(
                f"{where}: with Lightning's {type(callback).__name__} the trained weights would be "
                "evaluated in place of their average; use ema.decay or swa.start_epoch."
            )
        if callback.state_key in found:
            raise UserError(
                f"{where}: there is a second {callback.state_key}, and a checkpoint holds the "
                "state of one; give it a state_key of its own."
            )
        found[callback.state_key] = callback
        listed.append(callback)
    return listed


def _check_paths(node: Mapping[str, Any], where: str, plugins: Sequence[str]) -> None:
    """Refuse a callback of Lightning's that would write elsewhere than in the run's folder.

    A config can be a stranger's, and by these one could write over any file.
    """
    target = locate(node, where, plugins)
    if not target.__module__.startswith("pytorch_lightning."):
        return  # of a package that the command allows
    hints = hints_of(target)
    for key, value in node.items():
        names_place = value is not None and _takes_path(hints.get(key))
        if names_place or (key == "filename" and Path(str(value)).name != value):
            raise UserError(
                f"{where}.{key}={value}: a callback of Lightning's writes into the run's folder "
                "alone, whoever wrote the config. Leave this out, or give it in a callback of "
                "your own package (plugins=[PACKAGE])."
            )


def _takes_path(hint: Any) -> bool:
    return hint is Path or any(map(_takes_path, get_args(hint)))


def checkpoint_callbacks(
    config: TrainConfig, folder: RunFolder, signals: Signals
) -> list[Callback]:
    """Checkpoints (best by `monitor`, and the last), early stopping, clipping, averaged weights.

    The first of them comes before all other callbacks of a training.
    """
    best = BestCheckpoint(
        folder.best.parent,
        filename=folder.best.stem,
        monitor=config.monitor,
        mode=monitor_mode(config),
        enable_version_counter=False,
        auto_insert_metric_name=False,
        save_on_train_epoch_end=False,
    )
    last = LastCheckpoint(folder.last, config.checkpoint.every_n_steps, signals)
    callbacks: list[Callback] = [BeforeOthers(last), best, last, *early_stopping(config)]
    if any(rule.freeze_epochs for rule in config.optimizer_common.param_groups):
        callbacks.append(Unfreezing(config.optimizer_common))
    if config.optimizer_common.agc is not None:
        callbacks.append(AdaptiveClipping(config.optimizer_common.agc))
    if is_sharded(config):
        callbacks.append(SharedStatistics())
    if config.ema.decay is not None:
        average = ShardedAverage if is_sharded(config) else AveragedWeights
        callbacks.append(average(config.ema.decay, config.ema.warmup))
    if is_schedule_free(config):
        callbacks.append(AverageInEvaluation())
    if config.swa.start_epoch is not None:
        callbacks.append(StochasticAverage(config.swa.start_epoch))
    return callbacks


def early_stopping(config: TrainConfig) -> list[Callback]:
    """The callback that stops a training which does not improve; none where the config says so."""
    stopping = config.early_stopping
    if stopping.patience_epochs is None:
        return []
    return [EarlyStopping(
        monitor=config.monitor,
        mode=monitor_mode(config),
        patience=stopping.patience_epochs,
        min_delta=stopping.min_delta,
        check_on_train_epoch_end=False,  # but after each validation: an epoch may have none
        check_finite=False,  # a loss that is not finite ends the run with an error of its own
    )]  # fmt: skip
