"""The method that a config names."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.training.methods.base import Method


def build_method(config: TrainConfig, offered: Mapping[str, Any]) -> Method:
    """Build the training's method.

    Args:
        config: of the training.
        offered: what it may ask for: `classifier`, `label_mode`, `num_classes`, `train_targets`.

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
