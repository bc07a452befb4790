"""The form of augmentation: one image at a time, or batches on the device; decided by the config.

It is decided once, when a run is launched, and is a part of its frozen config: it never follows
from free memory, nor from where a resumed run finds its images.
"""

from collections.abc import Iterable, Mapping

from sightline.config.effects import idle, is_set, keys_of
from sightline.config.influence import BATCHES, FORM, IMAGES
from sightline.config.schema import TrainConfig
from sightline.errors import UserError

IMAGE_KEY, BATCH_KEY = "augment.transforms", "augment.batch_transforms"


def with_form(config: TrainConfig, overrides: Iterable[str]) -> TrainConfig:
    """The config with `augment.form` decided.

    Where `augment.transforms=[...]` alone is given, it is what the images get.

    Args:
        config: the whole config.
        overrides: of the command line, as Hydra has them.

    Raises:
        UserError: the form that the config names does not exist or cannot be used with its cache,
            or the form that is not used was given.
    """
    named = keys_of(overrides)
    given = is_set(IMAGE_KEY, named) and not is_set(BATCH_KEY, named)
    both = config.augment.batch_transforms is not None
    changes: dict[str, object] = {"form": form_of(config, given)}
    _check(config, named, str(changes["form"]))
    if given and both and changes["form"] == IMAGES:
        changes["batch_transforms"] = None
    return _with(config, **changes)


def form_of(config: TrainConfig, images_given: bool = False) -> str:
    """The form that is used: that of the config, or chosen where it says auto.

    Args:
        config: the whole config.
        images_given: whether `augment.transforms` alone is given on the command line.
    """
    augment, cache = config.augment, config.data["cache"]
    if augment.form != "auto":
        return augment.form
    if augment.batch_transforms is None or (images_given and cache != "device"):
        return IMAGES
    if augment.geometry is not None and augment.frame_size is None:
        return IMAGES
    return BATCHES if cache in ("auto", "device") else IMAGES


def as_used(config: TrainConfig) -> TrainConfig:
    """The config without the transforms of the form that it does not use."""
    if config.augment.form == IMAGES:
        return _with(config, batch_transforms=None)
    return _with(config, transforms=[]) if config.augment.form == BATCHES else config


def with_logged_form(config: TrainConfig, params: Mapping[str, str]) -> TrainConfig:
    """A frozen config with the form that its run logged: older ones froze `auto`.

    Of a run that did not log it, the form that its cache has where memory allows.

    Args:
        config: as it was frozen.
        params: of the run.
    """
    form = params.get(FORM) if config.augment.form == "auto" else None
    return _with(config, form=form or form_of(config))


def _with(config: TrainConfig, **changes: object) -> TrainConfig:
    """The config with other values of `augment`."""
    return config.model_copy(update={"augment": config.augment.model_copy(update=changes)})


def _check(config: TrainConfig, named: set[str], form: str) -> None:
    augment, cache = config.augment, config.data["cache"]
    both = augment.batch_transforms is not None
    if form == BATCHES and not both:
        raise UserError(
            "augment.form=batches: the chosen augment has no form for whole batches "
            "(augment.batch_transforms is null); use augment.form=images, or another augment."
        )
    if form == BATCHES and augment.geometry is not None and augment.frame_size is None:
        raise UserError(
            "augment.form=batches: with augment.frame_size=null images have sizes of their own and "
            "make no batch; give augment.frame_size=PIXELS or auto, or use augment.form=images."
        )
    if (
        form == IMAGES
        and cache == "device"
        and (augment.transforms or augment.geometry or not both)
    ):
        why = "with augment.form=images" if both else "(augment.batch_transforms is null)"
        raise UserError(
            "data.cache=device augments whole batches on the device, which the chosen augment "
            f"cannot {why}; use data.cache=ram, or another augment."
        )
    if is_set(BATCH_KEY, named) and both and form == IMAGES:
        raise idle(BATCH_KEY, "[...]", "augment.form=images augments one image at a time")
    if is_set(IMAGE_KEY, named) and not is_set(BATCH_KEY, named) and form == BATCHES:
        raise idle(IMAGE_KEY, "[...]", f"augment.form=batches augments batches, by {BATCH_KEY}")
