"""timm's image models, from scratch or pretrained, optionally with a frozen backbone."""

import os
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
from huggingface_hub import constants as hub
from pydantic import Field
from torch import nn

from sightline.errors import UserError, first_line
from sightline.io.hub_log import one_line_for_retries
from sightline.models.file_weights import WeightFile, load_weights, open_weight_file
from sightline.models.head import freeze_backbone as freeze
from sightline.models.input_check import CannotBuild
from sightline.models.model_names import current_name
from sightline.models.preprocessing import preprocess_of, validation_preprocess
from sightline.models.published import cached_weights
from sightline.models.timm_compat import create_with_conversion, quiet_timm
from sightline.types import ImgSize, PreprocessSpec

Rate = Annotated[float, Field(ge=0, lt=1)]


def timm_backbone(
    num_classes: int,
    in_chans: int,
    img_size: ImgSize,
    img_size_override: ImgSize | None,
    from_data: PreprocessSpec,
    name: str,
    pretrained: bool,
    pretrained_path: str | None,
    freeze_backbone: bool,
    drop_rate: Rate,
    drop_path_rate: Rate,
) -> nn.Module:
    """A timm model with a new head, and the preprocessing that its weights were trained with.

    Args:
        num_classes: outputs of the new head.
        in_chans: channels of the images; timm adapts pretrained first layers.
        img_size: of the images, for a model without pretrained weights.
        img_size_override: that the user set; it takes precedence over the weights' own.
        from_data: preprocessing for a model without pretrained weights.
        name: timm's name, with or without a weights tag (`resnet18.a1_in1k`).
        pretrained: load timm's weights from the hub or its cache.
        pretrained_path: load the backbone's weights from this file instead, also where timm's are
            asked for; of a checkpoint of Sightline's also the preprocessing.
        freeze_backbone: train the head alone (linear probe).
        drop_rate: dropout before the head.
        drop_path_rate: stochastic depth.

    Raises:
        UserError: the name is unknown, the weights cannot be loaded, or options contradict.
    """
    _check_weights(pretrained, pretrained_path, freeze_backbone)
    name = current_name(name)
    file = None if pretrained_path is None else open_weight_file(pretrained_path)
    pretrained = pretrained and file is None
    options: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans}
    # Some models accept no rates, so that a rate of 0 is not passed.
    options |= {} if not drop_rate else {"drop_rate": drop_rate}
    options |= {} if not drop_path_rate else {"drop_path_rate": drop_path_rate}
    stored = None if file is None else file.preprocess
    with_weights = pretrained or file is not None
    own_size = stored.img_size if stored is not None else None if with_weights else img_size
    size = (img_size_override or own_size) if with_weights else img_size
    network = _build(name, pretrained, file, options, size)
    own: Any = network
    own.preprocess = preprocess_of(network, from_data, with_weights, stored, size)
    if freeze_backbone:
        freeze(network)
    return network


def _build(
    name: str,
    pretrained: bool,
    file: WeightFile | None,
    options: dict[str, Any],
    size: ImgSize | None,
) -> nn.Module:
    config = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    if size is not None and config is not None and config.fixed_input_size:
        options["img_size"] = size  # transformers and the like are built for one size
    if file is not None:
        return _with_file(name, file, options)
    return _create(name, pretrained, config, options)


def fetch_weights(name: str) -> Path:
    """Download timm's weights of a model to its cache, and return their path there.

    Raises:
        UserError: the name is unknown, or the weights cannot be loaded.
    """
    name = current_name(name)
    config = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    _create(name, True, config, {})
    path = cached_weights(config)
    assert path is not None  # else there were no weights
    return path


def published_backbone(name: str, pretrained_path: str | None) -> nn.Module:
    """A timm model as it was published: with its own head, and `preprocess` as timm validates it.

    Args:
        name: timm's name, with or without a weights tag.
        pretrained_path: a file with its weights; None for timm's, from the hub or its cache.

    Raises:
        UserError: the name is unknown, or the weights cannot be loaded.
    """
    name = current_name(name)
    config = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    if pretrained_path is None:
        network = _create(name, True, config, {})
    else:
        file = open_weight_file(pretrained_path)
        network, convert = create_with_conversion(name, {})
        load_weights(network, name, file, config.input_size[0] if config else 3, convert, True)
    own: Any = network
    own.preprocess = validation_preprocess(network)
    return network


def _check_weights(pretrained: bool, path: str | None, freeze_backbone: bool) -> None:
    if freeze_backbone and not pretrained and path is None:
        raise UserError(
            "model.freeze_backbone=true trains the head of a pretrained backbone; "
            "add model.pretrained=true or model.pretrained_path=FILE."
        )


def _create(name: str, pretrained: bool, config: Any, options: dict[str, Any]) -> nn.Module:
    if pretrained and not (config and (config.hf_hub_id or config.url or config.file)):
        raise UserError(
            f"model.pretrained=true: timm has no pretrained weights for {name}; use "
            "model.pretrained=false, or give your own with model.pretrained_path=FILE."
        )
    try:
        with quiet_timm(), one_line_for_retries():
            network = timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:
        if pretrained:
            raise UserError(_weights_missing(name, config, error)) from error
        raise CannotBuild(f"it cannot be built ({_first_line(error)})") from error
    assert isinstance(network, nn.Module)
    return network


def _with_file(name: str, file: WeightFile, options: dict[str, Any]) -> nn.Module:
    try:
        network, convert = create_with_conversion(name, options)
    except Exception as error:
        raise CannotBuild(f"it cannot be built ({_first_line(error)})") from error
    own: Any = network
    own.loaded_weights = load_weights(network, name, file, options["in_chans"], convert)
    return network


def _weights_missing(name: str, config: Any, error: Exception) -> str:
    if config.hf_hub_id:
        wanted = f"model.safetensors (or pytorch_model.bin) of {config.hf_hub_id}"
        looked = f"in the cache {hub.HF_HUB_CACHE} and at {hub.ENDPOINT}"
        supply = f"fill that cache where there is a network (set HF_HOME={Path(hub.HF_HOME)} here)"
    else:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        wanted = str(config.url or config.file)
        looked = f"in the cache {folder} and at that address"
        supply = f"put the file into {folder}"
    offline = " HF_HUB_OFFLINE is set." if os.environ.get("HF_HUB_OFFLINE") else ""
    return (
        f"model.pretrained=true: the weights of {name} could not be loaded.\n"
        f"  wanted:  {wanted}\n  looked:  {looked}{offline}\n  problem: {_first_line(error)}\n"
        f"  Either {supply},\n  or give a file: model.pretrained_path=FILE."
    )


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
