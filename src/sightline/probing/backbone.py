"""A frozen backbone: its network with weights, and a digest of what its features depend on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import timm
import torch
from pytorch_lightning.utilities.seed import isolate_rng
from torch import nn

from sightline.config.schema import ModelSpeedConfig, TrainConfig
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.models.build import build_classifier
from sightline.models.classifier import Classifier
from sightline.models.head import head_names
from sightline.training.speed import Speed, speed_of
from sightline.training.weights_of_run import model_with_file
from sightline.types import DatasetInfo

REVISION = 1  # raised where features are computed otherwise than before: those are not used then
# Keys of `model` on which features do not depend, or only by the weights, which have a digest.
WITHOUT_EFFECT = {
    "pretrained", "pretrained_path", "freeze_backbone", "drop_rate", "drop_path_rate", "head_std",
    "cache_features", "freeze_batch_norm", "max_img_size", "img_size", "in_chans",
    *(key for key in ModelSpeedConfig.model_fields),
}  # fmt: skip


@dataclass(frozen=True)
class Backbone:
    """A frozen backbone.

    Attributes:
        name: for people.
        config: that names it.
        classifier: in evaluation mode, with a head for the data's classes that has not learnt.
        speed: how the forward pass computes.
        digest: of its weights (the head's aside), preprocessing, precision and keys.
        parameters: their number, without the head's.
    """

    name: str
    config: TrainConfig
    classifier: Classifier
    speed: Speed
    digest: str
    parameters: int


def build_backbone(
    config: TrainConfig, info: DatasetInfo, mode: LabelMode, speed: Speed
) -> Backbone:
    """The backbone that a config names, on the CPU.

    Args:
        config: with its model.
        info: about the data set.
        mode: of its labels.
        speed: how it computes.

    Raises:
        UserError: it cannot be built, its weights cannot be loaded, or it cannot take the images.
    """
    node = model_with_file(config)
    with isolate_rng():
        torch.manual_seed(config.seed)
        classifier = build_classifier(
            node, config.model_input, info, mode.num_outputs, config.plugins
        )
    speed = speed_of(speed, config, classifier.network, {})
    speed.apply(classifier.network)
    classifier.eval().requires_grad_(False)
    head = _head_names(classifier.network)
    total = sum(p.numel() for name, p in classifier.network.named_parameters() if name not in head)
    name = str(node.get("name") or node["_target_"].rsplit(".", 1)[-1])
    digest = _digest(classifier, head, node, speed.precision)
    return Backbone(name, config, classifier, speed, digest, total)


def _head_names(network: nn.Module) -> set[str]:
    try:
        return head_names(network)
    except UserError:  # a model of other packages, whose head is not known
        return set()


def _digest(classifier: Classifier, head: set[str], node: Mapping[str, Any], precision: str) -> str:
    keys = {key: value for key, value in node.items() if key not in WITHOUT_EFFECT}
    facts = [REVISION, timm.__version__, precision, keys, classifier.preprocess.to_dict()]
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(classifier.network.state_dict().items()):
        if name not in head:
            digest.update(f"{name}\0{tuple(tensor.shape)}\0".encode())
            values = tensor.detach().contiguous().view(-1).view(torch.uint8)
            digest.update(values.numpy().data)
    return digest.hexdigest()
