"""The Trainer of a run: as the config describes it, with what Sightline itself decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.errors import UserError, first_line
from sightline.runs.folder import RunFolder
from sightline.training.checkpointing.files import AtomicCheckpointIO
from sightline.training.lightning_compat import disable_signal_handlers
from sightline.training.sharded import ShardedStrategy
from sightline.training.sharded_checks import is_sharded


def build_trainer(
    config: TrainConfig, callbacks: list[Callback], folder: RunFolder, precision: str,
    last_is_sound: bool = True,
) -> Trainer:  # fmt: skip
    """The Trainer of a run.

    Args:
        config: of the training.
        callbacks: all of them.
        folder: the run's own.
        precision: of the training, as its device decided.
        last_is_sound: whether its last checkpoint may be kept as the last but one.

    Raises:
        UserError: Lightning refuses the config.
    """
    own: dict[str, Any] = {
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO(last_is_sound, folder.check_held)],
        "logger": False,
        "default_root_dir": str(folder),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(each, ProgressBar) for each in callbacks),
        "num_sanity_val_steps": 0,  # its values would leak into the first epoch's
    }
    with refusals_named():
        node = config.trainer_arguments | {"precision": precision}
        if is_sharded(config):
            own["strategy"] = ShardedStrategy(offload="offload" in str(node.pop("strategy")))
        trainer = build(node, "trainer", config.plugins, own)
    assert isinstance(trainer, Trainer)
    _refuse_idle(trainer)
    disable_signal_handlers(trainer)
    return trainer


@contextmanager
def refusals_named() -> Iterator[None]:
    """Refusals of Lightning and of batch normalisation as one message.

    Raises:
        UserError: Lightning refuses an option of the Trainer, or a training batch has one value a
            channel.
    """
    try:
        yield
    except (MisconfigurationException, ValueError) as error:
        text = first_line(error)
        if text.startswith("Expected more than 1 value per channel"):
            raise UserError(
                f"Batch normalisation cannot learn from one value a channel ({text}): use a larger "
                "data.batch_size or model.img_size, or a model without batch normalisation."
            ) from error
        if type(error) is ValueError and not text.startswith("`val_check_interval`"):
            raise
        raise UserError(f"trainer: {text}") from error


def _refuse_idle(trainer: Trainer) -> None:
    """Refuse options under which nothing would be trained, validated or kept.

    Raises:
        UserError: names the option, and another that does what it is for.
    """
    idle: dict[str, Any] = {
        "fast_dev_run": trainer.fast_dev_run,  # type: ignore[attr-defined]
        "barebones": trainer.barebones,
        "max_steps=0": trainer.max_steps == 0,
        "limit_train_batches=0": trainer.limit_train_batches == 0,
        "limit_val_batches=0": trainer.limit_val_batches == 0,
        "limit_test_batches=0": trainer.limit_test_batches == 0,
    }
    found = [option for option, given in idle.items() if given]
    if found:
        raise UserError(
            f"trainer.{found[0]}: a training has to train, to validate and to keep a checkpoint. "
            "For a short trial use trainer.max_epochs=1 +trainer.limit_train_batches=2 "
            "+trainer.limit_val_batches=2 +trainer.limit_test_batches=2; evaluate_test=false "
            "leaves the test split alone."
        )
