"""The part of `model` that says how a training begins from pretrained weights."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sightline.config.legacy import BEFORE
from sightline.config.validation import Node, Strict


class FineTuningConfig(Strict):
    """How pretrained weights are trained further; without its keys, as before there were these.

    head_std: standard deviation of the weights that a new head on pretrained ones starts with,
        its biases at 0; null: as the model starts it.
    cache_features: whether the inputs of the head are computed once, where the backbone is frozen.
    freeze_batch_norm: whether the statistics, weights and biases of batch normalisation stay.
    lora_rank: rank of the updates that learn in place of the backbone's weights; null: none.
    lora_alpha: the updates are multiplied by lora_alpha / lora_rank.
    lora_layers: patterns of the names of the layers that have one.
    """

    head_std: PositiveFloat | None = None
    cache_features: Literal["auto"] | bool = False
    freeze_batch_norm: bool = False
    lora_rank: PositiveInt | None = None
    lora_alpha: PositiveFloat = BEFORE["model.lora_alpha"]
    lora_layers: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(
        BEFORE["model.lora_layers"]
    )


def is_pretrained(model: Node) -> bool:
    """Whether a model's node names weights to begin with."""
    return bool(model.get("pretrained") or model.get("pretrained_path"))


def way_of_training(model: Node) -> Literal["scratch", "whole", "head", "lora"]:
    """What learns of a model: all of it from scratch, or which part of pretrained weights."""
    if not is_pretrained(model):
        return "scratch"
    if model.get("freeze_backbone"):
        return "head"
    return "whole" if model.get("lora_rank") is None else "lora"
