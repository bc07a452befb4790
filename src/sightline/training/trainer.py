"""The Trainer of a run: as the config describes it, with what Sightline itself decides."""

import sys
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.errors import UserError, first_line
from sightline.runs.folder import RunFolder
from sightline.training.checkpointing.files import AtomicCheckpointIO
from sightline.training.lightning_compat import disable_signal_handlers, start_ranks_with


def build_trainer(
    config: TrainConfig, callbacks: list[Callback], folder: RunFolder, last_is_sound: bool = True
) -> Trainer:
    """The Trainer of a run.

    Args:
        config: of the training.
        callbacks: all of them.
        folder: the run's own.
        last_is_sound: whether its last checkpoint may be kept as the last but one.

    Raises:
        UserError: Lightning refuses the config.
    """
    own: dict[str, Any] = {
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO(last_is_sound)],
        "logger": False,
        "default_root_dir": str(folder),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(each, ProgressBar) for each in callbacks),
        "num_sanity_val_steps": 0,  # its values would leak into the first epoch's
    }
    try:
        trainer = build(config.trainer, "trainer", config.plugins, own)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {first_line(error)}") from error
    assert isinstance(trainer, Trainer)
    disable_signal_handlers(trainer)
    start_ranks_with(trainer, [sys.executable, "-m", "sightline.cli", "job", str(folder)])
    return trainer
