"""The method that a config names."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from sightline.config.components import build
from sightline.config.effects import value_of
from sightline.config.schema import TrainConfig
from sightline.config.targets import locate
from sightline.errors import UserError
from sightline.training.methods.base import Method
from sightline.training.methods.distill import Distill
from sightline.training.methods.teacher import Teachers


def build_method(config: TrainConfig, offered: Mapping[str, Any]) -> Method:
    """Build the training's method.

    Args:
        config: of the training.
        offered: what it may ask for: `classifier`, `label_mode`, `num_classes`, `train_targets`,
            `teachers`.

    Raises:
        UserError: it cannot be built, or is no Method.
    """
    method = build(config.method, "method", config.plugins, offered=offered)
    if not isinstance(method, Method) or isinstance(method, nn.Module):
        raise UserError(
            f"method: {config.method['_target_']} gives a {type(method).__name__}; expected a "
            "Method of sightline.training.methods.base, which is no nn.Module itself: networks "
            "that are trained are what its method trained() returns."
        )
    return method


def check_method(config: TrainConfig, teachers: Teachers) -> None:
    """Check what is known of the method before data is read.

    Args:
        config: of the training.
        teachers: finds the teacher.

    Raises:
        UserError: a key may not be set beside it, or its teacher is not found.
    """
    kind = locate(config.method, "method", config.plugins)
    if not isinstance(kind, type) or not issubclass(kind, Method):
        return
    for key, why in kind.excludes(config.method).items():
        if value_of(config, key):
            raise UserError(f"{key}={str(value_of(config, key)).lower()}: {why}. Leave it out.")
    if issubclass(kind, Distill):
        teachers.locate(str(config.method["teacher"]))
