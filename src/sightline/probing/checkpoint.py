"""The checkpoint of a probe with a linear head: the backbone with that head in place of its own."""

from typing import Any

import torch
from torch import nn

from sightline.errors import UserError
from sightline.inference.load import PREFIX
from sightline.metrics.tuning import Tuning
from sightline.models.classifier import Classifier
from sightline.models.head import head_module
from sightline.models.head_cut import head_inputs
from sightline.probing.backbone import Backbone
from sightline.probing.data import ProbeData
from sightline.probing.fitted import LinearHead
from sightline.training.identity import data_digests, make_identity

TOLERANCE = 1e-4  # relative, between the features and what the head is given


def probe_checkpoint(
    backbone: Backbone, data: ProbeData, head: LinearHead, tuning: Tuning
) -> dict[str, Any] | None:
    """Weights and identity, as a training writes them; None where the network takes no such head.

    Args:
        backbone: whose features by pooling=head the head is for.
        data: its splits and labels.
        head: that was fitted.
        tuning: fitted on val.
    """
    classifier = backbone.classifier
    name = linear_head_of(classifier, head)
    if name is None:
        return None
    state = {f"{PREFIX}{key}": value for key, value in classifier.state_dict().items()}
    for key, values in (("weight", head.weight), ("bias", head.bias)):
        place = f"{PREFIX}network.{name}.{key}"
        state[place] = torch.from_numpy(values).to(state[place].dtype)
    digests = data_digests(data.source, data.splits, data.contents)
    identity = make_identity(
        backbone.config, data.mode, data.info, classifier.preprocess, digests
    ) | {"tuning": tuning.to_dict(), "precision": backbone.speed.precision,
         "channels_last": backbone.speed.channels_last}  # fmt: skip
    return {"state_dict": state, "sightline": identity}


def linear_head_of(classifier: Classifier, head: LinearHead) -> str | None:
    """The name of the network's linear layer that a head can replace; None where there is none.

    It is tried that the layer is given the features: some networks have two heads, or more than a
    layer after the features.
    """
    try:
        name = head_module(classifier.network)
    except UserError:
        return None
    layer = None if name is None else classifier.network.get_submodule(name)
    if not isinstance(layer, nn.Linear) or layer.bias is None:
        return None
    if tuple(layer.weight.shape) != head.weight.shape:
        return None
    draw = torch.Generator().manual_seed(0)
    image = torch.randint(
        0, 256, (2, *classifier.preprocess.input), dtype=torch.uint8, generator=draw
    )
    with torch.inference_mode():
        features = classifier.features(image)
        given = head_inputs(classifier.network, layer, [classifier.normalise(image)])
    same = given.shape == features.shape and torch.allclose(given, features, TOLERANCE, TOLERANCE)
    return name if same else None
