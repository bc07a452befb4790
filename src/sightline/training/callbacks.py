"""The callbacks of a training that decide: checkpoints, early stopping, averaged weights."""

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping

from sightline.config.schema import TrainConfig
from sightline.metrics.monitor import monitor_mode
from sightline.runs.folder import RunFolder
from sightline.training.averaging import AveragedWeights
from sightline.training.checkpointing.best import BestCheckpoint
from sightline.training.checkpointing.last import LastCheckpoint
from sightline.training.signals import Signals


def checkpoint_callbacks(
    config: TrainConfig, folder: RunFolder, signals: Signals
) -> list[Callback]:
    """Checkpoints (best by `monitor`, and the last), early stopping and averaged weights."""
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
    callbacks: list[Callback] = [best, last]
    stopping = config.early_stopping
    if stopping.patience_epochs is not None:
        callbacks.append(EarlyStopping(
            monitor=config.monitor,
            mode=monitor_mode(config),
            patience=stopping.patience_epochs,
            min_delta=stopping.min_delta,
            check_on_train_epoch_end=False,  # but after each validation: an epoch may have none
            check_finite=False,  # a loss that is not finite ends the run with an error of its own
        ))  # fmt: skip
    if config.ema.decay is not None:
        callbacks.append(AveragedWeights(config.ema.decay))
    return callbacks
