"""Augmentation of a config: its geometry, transforms and mixing, built for a model's input."""

from sightline.config.augment_form import form_of
from sightline.config.components import build
from sightline.config.influence import BATCHES
from sightline.config.schema import TrainConfig
from sightline.data.geometries.base import TrainingGeometry
from sightline.data.geometries.frames import Frame, frame_side
from sightline.data.image_sizes import ImageSizes
from sightline.data.loading.augmentation import Augmentation
from sightline.data.loading.size_schedule import size_schedule
from sightline.errors import UserError
from sightline.types import PreprocessSpec


def build_augmentation(
    config: TrainConfig, spec: PreprocessSpec, sizes: ImageSizes
) -> Augmentation:
    """The augmentation of `augment` and `mix`.

    Args:
        config: the whole config.
        spec: the model's preprocessing.
        sizes: of a sample of the training images.

    Raises:
        UserError: a part of it cannot be built.
    """
    plugins, augment = config.plugins, config.augment
    offered = {"in_chans": spec.in_chans, "mean": list(spec.mean), "std": list(spec.std)}
    geometry, frame = None, None
    if augment.geometry is not None:
        geometry = build(augment.geometry, "augment.geometry", plugins)
        frame = _frame(config, geometry, spec, sizes)
    return Augmentation(
        form_of(config) == BATCHES,
        [
            build(node, f"augment.transforms[{i}]", plugins, offered=offered)
            for i, node in enumerate(augment.transforms)
        ],
        [
            build(node, f"augment.batch_transforms[{i}]", plugins, offered=offered)
            for i, node in enumerate(augment.batch_transforms or [])
        ],
        spec.size,
        geometry,
        frame,
        augment.repeats,
        build(config.mix, "mix", plugins) if config.mix else None,
        mixed_epochs(config),
        size_schedule(config),
    )


def _frame(
    config: TrainConfig, geometry: TrainingGeometry, spec: PreprocessSpec, sizes: ImageSizes
) -> Frame:
    wanted = config.augment.frame_size
    if wanted is None:
        return Frame(None, spec)
    longer = sizes.longer()
    given = wanted if isinstance(wanted, int) else None
    return Frame(frame_side(given, geometry.frame_size(spec.size), longer), spec)


def mixed_epochs(config: TrainConfig) -> int | None:
    """How many epochs are mixed; None: all of them.

    Raises:
        UserError: which are the last ones is not known.
    """
    if not config.mix_off_epochs:
        return None
    epochs = config.trainer.get("max_epochs")
    if not isinstance(epochs, int) or epochs < 1:
        raise UserError(
            f"mix_off_epochs={config.mix_off_epochs}: which epochs are the last ones is known only "
            "where trainer.max_epochs is a number from 1."
        )
    return max(0, epochs - config.mix_off_epochs)
