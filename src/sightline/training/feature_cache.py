"""The decision that a training takes its frozen backbone's features from a cache."""

import logging

import torch

from sightline.config.model_effects import augments
from sightline.config.schema import TrainConfig
from sightline.data.loading.datamodule import ImageDataModule
from sightline.errors import UserError
from sightline.models.classifier import Classifier
from sightline.models.head_cut import NoCut, cut_head
from sightline.training.methods.base import Method

log = logging.getLogger(__name__)


def use_cached_features(
    config: TrainConfig, classifier: Classifier, method: Method, datamodule: ImageDataModule
) -> None:
    """Let the batches of a datamodule hold the head's inputs, where the config says or allows it.

    Raises:
        UserError: `model.cache_features=true`, and it cannot be done.
    """
    wanted = config.fine_tuning.cache_features
    if wanted is False:
        return
    reason = _reason(config, method, datamodule)
    if reason is None:
        try:
            classifier.cut = cut_head(classifier.network, _example(classifier))
        except NoCut as error:
            reason = f"{type(classifier.network).__name__}: {error}"
    if reason is None:
        datamodule.use_features(classifier)
    elif wanted is True:
        raise _refusal(reason)
    else:
        log.info("features: the frozen backbone runs in every epoch; %s", reason)


def _reason(config: TrainConfig, method: Method, datamodule: ImageDataModule) -> str | None:
    if augments(config):
        return "augment or mix changes images in each epoch (augment=none mix=none do not)"
    if datamodule.stream is not None:
        return "the data is read in sequence"
    if not method.takes_features:
        return f"method: {type(method).__name__} takes images"
    return None


def _example(classifier: Classifier) -> torch.Tensor:
    spec = classifier.preprocess
    draw = torch.Generator().manual_seed(0)
    return torch.randn(2, spec.in_chans, *spec.size, generator=draw)


def _refusal(reason: str) -> UserError:
    return UserError(f"model.cache_features=true: {reason}.")
