"""Batch size, learning rate and precision that a config leaves open; the config once decided."""

import math
from collections.abc import Mapping

from sightline.config.decided import ACCUMULATED, BATCH_SIZE, LR, PRECISION
from sightline.config.schema import TrainConfig
from sightline.config.speed_keys import OPEN_PRECISIONS

AUTO = "auto"


def is_open(config: TrainConfig) -> bool:
    """Whether memory decides the batch size."""
    return config.data["batch_size"] == AUTO


def without_idle_size(config: TrainConfig) -> TrainConfig:
    """The config without the size of a step that only `data.batch_size=auto` asks for."""
    if is_open(config):
        return config
    return config.model_copy(update={"data": config.data | {"effective_batch_size": None}})


def scaled_lr(config: TrainConfig, images: int) -> float:
    """The learning rate for so many images of a step, by `optimizer.lr_scaling`."""
    common, lr = config.optimizer_common, float(config.optimizer["lr"])
    times = images / common.lr_base_size
    return lr * (times if common.lr_scaling == "linear" else math.sqrt(times))


def as_decided(config: TrainConfig, decided: Mapping[str, str]) -> TrainConfig:
    """The config with values in place of what it left open.

    Args:
        config: of the training.
        decided: parameters of its run, of which those are taken that are about these keys.
    """
    data, trainer, optimizer = dict(config.data), dict(config.trainer), dict(config.optimizer)
    if is_open(config) and BATCH_SIZE in decided:
        data |= {"batch_size": int(decided[BATCH_SIZE]), "effective_batch_size": None}
        trainer |= {"accumulate_grad_batches": int(decided[ACCUMULATED])}
    if config.optimizer_common.lr_scaling is not None and LR in decided:
        optimizer |= {"lr": float(decided[LR]), "lr_scaling": None}
    if trainer.get("precision") in OPEN_PRECISIONS and PRECISION in decided:
        trainer |= {"precision": decided[PRECISION]}
    return config.model_copy(update={"data": data, "trainer": trainer, "optimizer": optimizer})
