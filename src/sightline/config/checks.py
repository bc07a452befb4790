"""Checks of a whole config, across its fields, before anything heavy is imported."""

from collections.abc import Mapping
from typing import Any

from sightline.config.legacy import as_of_now
from sightline.config.schema import TrainConfig
from sightline.config.tuning_schema import TuningConfig
from sightline.config.validation import Node, validate
from sightline.errors import UserError


def check(values: Mapping[str, Any]) -> TrainConfig:
    """A composed config with its types checked, before anything heavy is imported.

    Raises:
        UserError: unknown keys (with the nearest real one) and values of a wrong type.
    """
    config = validate(TrainConfig, as_of_now(values))
    if not config.monitor.startswith("val/"):
        raise UserError(
            f"monitor={config.monitor}: a checkpoint is chosen by validation metrics alone; "
            "give a name that starts with 'val/', such as val/loss."
        )
    for name in (
        "data",
        "label_mode",
        "model",
        "loss",
        "method",
        "optimizer",
        "scheduler",
        "trainer",
    ):
        if "_target_" not in getattr(config, name):
            raise UserError(f"{name}: expected a config with `_target_`, pick one: {name}=OPTION.")
    for name, node in config.report.items():
        if "_target_" not in node:
            raise UserError(f"report.{name}: there is no such section; pick: report=[SECTION,...].")
    for index, node in enumerate(config.callbacks):
        if "_target_" not in node:
            raise UserError(f"callbacks[{index}]: expected a callback with `_target_`: {node}.")
    common = config.data_common
    if common.val_fraction + common.test_fraction >= 1:
        raise UserError("data.val_fraction + data.test_fraction: nothing is left to train on.")
    if None not in (common.train_fraction, common.per_class):
        raise UserError(
            f"data.train_fraction={common.train_fraction:g} and data.per_class={common.per_class}: "
            "both say how many training images are drawn; give one."
        )
    _check_trainer(config.trainer)
    _check_average(config)
    assert config.model_input
    assert config.fine_tuning
    assert config.optimizer_common
    assert config.model_speed
    assert config.trainer_speed
    _check_tuning(config.tuning)
    return config


def _check_trainer(node: Node) -> None:
    """Numbers that Lightning would take for something else, or divide by."""
    epochs = node.get("max_epochs")
    if isinstance(epochs, int) and (epochs < -1 or epochs == 0):
        raise UserError(
            f"trainer.max_epochs={epochs}: expected a whole number from 1, or -1 for no limit "
            "(+trainer.max_steps=NUMBER then says when to end)."
        )
    accumulated = node.get("accumulate_grad_batches")
    if isinstance(accumulated, int) and accumulated < 1:
        raise UserError(
            f"trainer.accumulate_grad_batches={accumulated}: expected a whole number from 1."
        )
    norm = node.get("gradient_clip_val")
    if isinstance(norm, (int, float)) and not norm >= 0:
        raise UserError(
            f"trainer.gradient_clip_val={norm}: expected a number over 0, or null to clip nothing."
        )


def _check_average(config: TrainConfig) -> None:
    """One average of the weights, of epochs that there are, over images that can be read again."""
    start, epochs = config.swa.start_epoch, config.trainer.get("max_epochs")
    if start is None:
        return
    if config.ema.decay is not None:
        raise UserError(f"swa.start_epoch={start}: ema.decay averages the weights; give one.")
    if isinstance(epochs, int) and 0 < epochs < start:
        raise UserError(
            f"swa.start_epoch={start} has no effect: the training ends after epoch {epochs} "
            "(trainer.max_epochs)."
        )
    if config.data.get("streaming"):
        raise UserError(
            f"swa.start_epoch={start}: statistics of batch normalisation are recomputed over the "
            "training images, which data.streaming=true reads in sequence alone. Use ema.decay."
        )


def _check_tuning(tuning: TuningConfig) -> None:
    """Each aim has the numbers that it needs, and no others."""
    aim = tuning.aim
    needed = {
        "hold": aim in ("precision", "recall"),
        "false_positive_cost": aim == "cost",
        "false_negative_cost": aim == "cost",
    }
    for key, needs in needed.items():
        given = getattr(tuning, key)
        if needs and given is None:
            raise UserError(f"tuning.aim={aim} needs tuning.{key}=NUMBER.")
        if given is not None and not needs:
            raise UserError(f"tuning.{key}={given}: tuning.aim={aim} does not take it.")
    for key in ("sets", "sets_by"):
        if getattr(tuning, key) is not None and tuning.coverage is None:
            raise UserError(f"tuning.{key}={getattr(tuning, key)} needs tuning.coverage=0.9, say.")
    if tuning.ood in ("knn", "mahalanobis", "vim"):
        raise UserError(
            f"tuning.ood={tuning.ood}: this score compares with features of the training images, "
            "which a model is stored without; expected msp, max_logit or energy. `sightline "
            f"evaluate run=RUN ood=FOLDER scores=[{tuning.ood}]` measures it."
        )
    guaranteed = tuning.risk is not None if tuning.hold is None else tuning.hold < 1
    if tuning.guarantee is not None and not guaranteed:
        raise UserError(
            f"tuning.guarantee={tuning.guarantee}: expected tuning.aim=precision or recall with "
            "tuning.hold under 1, or tuning.risk, which is what is guaranteed."
        )
