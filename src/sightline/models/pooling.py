"""Pooling of a network's last feature map or tokens into one vector an image."""

from typing import Any, get_args

import torch
from torch import Tensor

from sightline.config.probe_names import Pooling
from sightline.errors import UserError
from sightline.models.classifier import Classifier

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def pooled_features(
    classifier: Classifier, images: Tensor, poolings: tuple[Pooling, ...]
) -> dict[Pooling, Tensor]:
    """Features (B, D) of uint8 images (B, C, H, W) by each pooling, from one forward pass.

    head is what the network's own head is given; token the class token; mean the mean over all
    places, of tokens without those in front; attention the network's own attention pooling.

    Args:
        classifier: whose network has timm's `forward_features` and `forward_head`.
        images: as the preprocessing makes them.
        poolings: which of them.

    Raises:
        UserError: the network lacks one of them; names those that it has.
    """
    if poolings == ("head",):
        return {"head": classifier.features(images)}
    network: Any = classifier.network
    if not all(hasattr(network, name) for name in ("forward_features", "forward_head")):
        classifier.features(images)  # raises what the model lacks
    found = network.forward_features(classifier.normalise(images))
    lacking = [name for name in poolings if not _has(network, found, name)]
    if lacking:
        has = ", ".join(name for name in POOLINGS if _has(network, found, name))
        raise UserError(f"pooling={lacking[0]}: {type(network).__name__} has {has}.")
    return {name: _pooled(network, found, name).flatten(1) for name in poolings}


def _has(network: Any, found: Any, pooling: Pooling) -> bool:
    if pooling == "head":
        return True
    if not isinstance(found, Tensor):
        return False
    if pooling == "token":
        return found.ndim == 3 and getattr(network, "cls_token", None) is not None
    if pooling == "mean":
        return found.ndim in (3, 4)
    return getattr(network, "attn_pool", None) is not None


def _pooled(network: Any, found: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "head":
        pooled: Tensor = network.forward_head(found, pre_logits=True)
    elif pooling == "token":
        pooled = found[:, 0]
    elif pooling == "mean":
        pooled = _mean(network, found)
    else:
        pooled = network.attn_pool(found)
    return pooled


def _mean(network: Any, found: Tensor) -> Tensor:
    if found.ndim == 3:
        return found[:, int(getattr(network, "num_prefix_tokens", 0)) :].mean(1)
    width = getattr(network, "num_features", None)
    channels_last = found.shape[1] != width and found.shape[-1] == width
    return found.mean((1, 2) if channels_last else (2, 3))


def width_of(classifier: Classifier, pooling: Pooling) -> int:
    """Number of features, by an image of zeros.

    Raises:
        UserError: the network has no such pooling.
    """
    image = torch.zeros(1, *classifier.preprocess.input, dtype=torch.uint8)
    with torch.inference_mode():
        features = pooled_features(classifier, image.to(classifier.mean.device), (pooling,))
    return int(features[pooling].shape[1])
