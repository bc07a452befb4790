"""Preprocessing of a timm model: that of its weights, of a checkpoint's model, or of the data."""

from dataclasses import replace

from timm.data import resolve_model_data_config
from torch import nn

from sightline.types import ImgSize, PreprocessSpec, adapt_channels, as_img_size


def preprocess_of(
    network: nn.Module, from_data: PreprocessSpec, with_weights: bool,
    stored: PreprocessSpec | None, img_size: ImgSize | None,
) -> PreprocessSpec:  # fmt: skip
    """The preprocessing that a network's weights were trained with.

    Args:
        network: timm's.
        from_data: for a network without pretrained weights.
        with_weights: whether it has such.
        stored: that of the checkpoint of Sightline's that they are from; None for others.
        img_size: that the user set, or the checkpoint has; None for the weights' own.
    """
    if stored is not None:
        return _stored(stored, from_data, img_size)
    return _published(network, from_data, img_size) if with_weights else from_data


def validation_preprocess(network: nn.Module) -> PreprocessSpec:
    """As timm validates a network's published weights: at their test size, where they have one."""
    channels = int(resolve_model_data_config(network)["input_size"][0])
    neutral = PreprocessSpec(0, channels, (0.0,) * channels, (1.0,) * channels)
    return _published(network, neutral, None, use_test_size=True)


def _published(
    network: nn.Module, from_data: PreprocessSpec, img_size: ImgSize | None,
    use_test_size: bool = False,
) -> PreprocessSpec:  # fmt: skip
    """As the model's published weights were trained."""
    config = resolve_model_data_config(network, use_test_size=use_test_size)
    return PreprocessSpec(
        img_size=img_size or as_img_size(config["input_size"][-2:]),
        in_chans=from_data.in_chans,
        mean=adapt_channels(tuple(config["mean"]), from_data.in_chans),
        std=adapt_channels(tuple(config["std"]), from_data.in_chans),
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
        crop_mode=config["crop_mode"],
    )


def _stored(
    stored: PreprocessSpec, from_data: PreprocessSpec, img_size: ImgSize | None
) -> PreprocessSpec:
    """As the checkpoint's model was trained."""
    return replace(
        stored,
        img_size=img_size or stored.img_size,
        in_chans=from_data.in_chans,
        mean=adapt_channels(stored.mean, from_data.in_chans),
        std=adapt_channels(stored.std, from_data.in_chans),
    )
