"""Outputs of a model for known and unknown images, and scores of them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.cache.sample_digests import PIXELS
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import Split
from sightline.errors import UserError, counted
from sightline.evaluation.ood_checks import check_unknown_pixels, split_images
from sightline.evaluation.seen import Digests
from sightline.inference.image_batches import image_batches
from sightline.inference.inputs import Inputs
from sightline.inference.model import LoadedModel
from sightline.metrics.ood_detection import Detection, detect
from sightline.metrics.ood_scores import OF_FEATURES, ModelOutputs, score_of
from sightline.models.linear_head import head_values, linear_head

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuredScore:
    """One score of known images and of one set of unknown ones.

    Attributes:
        set_name: of the unknown images.
        score: its name.
        known, unknown: of each image, shapes (N,) and (M,), higher is more unlike the training's.
        detection: what they tell.
    """

    set_name: str
    score: str
    known: np.ndarray
    unknown: np.ndarray
    detection: Detection


def measure(
    model: LoadedModel, own: Mapping[str, Split], split: str, sets: Mapping[str, Inputs],
    scores: Sequence[str], known: Digests,
) -> list[MeasuredScore]:  # fmt: skip
    """Each score of each set, set by set.

    Args:
        model: of the run.
        own: the run's splits, with encoded targets.
        split: whose images are the known ones.
        sets: unknown images by name.
        scores: names.
        known: digests of images that no set may hold.

    Raises:
        UserError: images cannot be read or are known, or the model or the labels do not allow a
            score.
    """
    with_features = not set(scores).isdisjoint(OF_FEATURES)
    base, pixels = _of_split(model, own, split, with_features)
    there = {**known, split: {**known[split], PIXELS: pixels}}
    unknown = {}
    for name, inputs in sets.items():
        unknown[name], seen = _outputs(model, inputs.images, with_features)
        if not len(unknown[name].logits):
            raise UserError(f"ood: none of the images of {name} can be read.")
        if bad := int((seen == 0).sum()):
            log.warning("%s: %s cannot be read, and left out.", name, counted(bad, "image"))
        check_unknown_pixels(name, inputs, seen, there)
    train = base  # which scores of logits do not read
    if with_features:
        train, _ = _of_split(model, own, "train", with_features)
    targets, exclusive = own["train"].targets, model.label_mode.exclusive
    of_known = {score: score_of(score, base, train, targets, exclusive) for score in scores}
    found = []
    for name, given in unknown.items():
        for score in scores:
            away = score_of(score, given, train, targets, exclusive)
            detection = detect(of_known[score], away, own[split].groups)
            found.append(MeasuredScore(name, score, of_known[score], away, detection))
    return found


def _of_split(
    model: LoadedModel, own: Mapping[str, Split], name: str, with_features: bool
) -> tuple[ModelOutputs, np.ndarray]:
    found, pixels = _outputs(model, split_images(own[name]), with_features)
    if bad := int((pixels == 0).sum()):
        raise UserError(f"ood: {counted(bad, 'image')} of the run's {name} cannot be read.")
    return found, pixels


def _outputs(
    model: LoadedModel, images: Images, with_features: bool
) -> tuple[ModelOutputs, np.ndarray]:
    """Logits and features of the readable images, and digests of all, 0 where one is not."""
    logits, features = [], []
    pixels = np.zeros(len(images), np.uint64)
    transform = ImageTransform(model.preprocess)
    for batch in image_batches(images, transform, 0, model.batch_size, "auto"):
        if not len(batch.images):
            continue
        readable = [batch.start + i for i in range(batch.size) if i not in batch.errors]
        pixels[readable] = pixel_digests(batch.images.numpy())
        logits.append(model.logits(batch.images))
        if with_features:
            features.append(model.features(batch.images))
    every = torch.cat(logits) if logits else torch.empty(0, 1)
    if not features:
        return ModelOutputs(every.double().numpy(), np.empty((0, 0))), pixels
    seen, head = torch.cat(features), None
    if (layer := linear_head(model.classifier.network, seen, every)) is not None:
        weights, bias = head_values(layer)
        head = weights.numpy(), bias.numpy()
    return ModelOutputs(every.double().numpy(), seen.double().numpy(), head), pixels
