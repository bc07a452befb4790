"""Classifier built from the config's `model`, for a training or for a checkpoint's weights."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import nn

from sightline.config.components import build
from sightline.config.schema import ModelInputConfig
from sightline.config.validation import Node, without
from sightline.models.classifier import Classifier
from sightline.types import DatasetInfo, PreprocessSpec


def build_classifier(
    node: Node, model_input: ModelInputConfig, info: DatasetInfo, num_outputs: int,
    plugins: Iterable[str],
) -> Classifier:  # fmt: skip
    """A new model for this data.

    A model's `_target_` is a class or function that returns an nn.Module. It receives
    `num_classes`, and of `in_chans`, `img_size`, `img_size_override` (None unless the user set
    the size) and `from_data` (the spec for training from scratch) those that its signature
    names. Where the module has an attribute `preprocess`, that spec is used; else `from_data`.
    """
    in_chans = model_input.in_chans or info.in_chans
    size = model_input.img_size or min(info.img_size, model_input.max_img_size or info.img_size)
    spec = PreprocessSpec.from_data(info, size, in_chans)
    offered = {
        "in_chans": in_chans,
        "img_size": size,
        "img_size_override": model_input.img_size,
        "from_data": spec,
    }
    network = _build(node, num_outputs, offered, plugins)
    own = getattr(network, "preprocess", spec)
    return Classifier(network, replace(own, background=info.background, decode=info.decode))


def rebuild_classifier(
    node: Node, preprocess: PreprocessSpec, num_outputs: int, plugins: Iterable[str]
) -> Classifier:
    """The model of a checkpoint, without its weights: pretrained ones are never requested."""
    node = {k: v for k, v in node.items() if k not in ("pretrained", "pretrained_path")} | {
        key: value
        for key, value in (("pretrained", False), ("pretrained_path", None))
        if key in node
    }
    offered = {
        "in_chans": preprocess.in_chans,
        "img_size": preprocess.img_size,
        "img_size_override": preprocess.img_size,
        "from_data": preprocess,
    }
    return Classifier(_build(node, num_outputs, offered, plugins), preprocess)


def _build(
    node: Node, num_outputs: int, offered: dict[str, Any], plugins: Iterable[str]
) -> nn.Module:
    network = build(
        without(node, ModelInputConfig), "model", plugins, {"num_classes": num_outputs}, offered
    )
    assert isinstance(network, nn.Module)
    return network
