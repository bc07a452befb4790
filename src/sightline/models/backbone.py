"""timm's image models, from scratch or pretrained, optionally with a frozen backbone."""

import os
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
from huggingface_hub import constants as hub
from huggingface_hub import try_to_load_from_cache
from pydantic import Field
from timm.data import resolve_model_data_config
from timm.models._hub import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from torch import nn

from sightline.errors import UserError, did_you_mean, first_line
from sightline.types import PreprocessSpec, adapt_channels

Rate = Annotated[float, Field(ge=0, lt=1)]


def timm_backbone(
    num_classes: int,
    in_chans: int,
    img_size: int,
    img_size_override: int | None,
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
        img_size: side of the images for a model without pretrained weights.
        img_size_override: side that the user set; it takes precedence over the weights' own.
        from_data: preprocessing for a model without pretrained weights.
        name: timm's name, with or without a weights tag (`resnet18.a1_in1k`).
        pretrained: load timm's weights from the hub or its cache.
        pretrained_path: load the backbone's weights from this file instead.
        freeze_backbone: train the head alone (linear probe).
        drop_rate: dropout before the head.
        drop_path_rate: stochastic depth.

    Raises:
        UserError: the name is unknown, the weights cannot be loaded, or options contradict.
    """
    _check_weights(pretrained, pretrained_path, freeze_backbone)
    _check_name(name)
    with_weights = pretrained or pretrained_path is not None
    options: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans}
    # Some models accept no rates, so that a rate of 0 is not passed.
    options |= {} if not drop_rate else {"drop_rate": drop_rate}
    options |= {} if not drop_path_rate else {"drop_path_rate": drop_path_rate}
    config = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    size = img_size_override if with_weights else img_size
    if size is not None and config is not None and config.fixed_input_size:
        options["img_size"] = size  # transformers and the like are built for one size
    network: Any = _create(name, pretrained, pretrained_path, config, options)
    network.preprocess = _preprocess(network, from_data, img_size_override, with_weights)
    if freeze_backbone:
        _freeze(network)
    assert isinstance(network, nn.Module)
    return network


def fetch_weights(name: str) -> Path:
    """Download timm's weights of a model to its cache, and return their path there.

    Raises:
        UserError: the name is unknown, or the weights cannot be loaded.
    """
    _check_name(name)
    config = timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg(name.split(".")[0])
    _create(name, True, None, config, {})
    assert config is not None  # else there were no weights
    if config.hf_hub_id:
        for file in (config.hf_hub_filename, HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME):
            cached = try_to_load_from_cache(config.hf_hub_id, file) if file else None
            if isinstance(cached, str):
                return Path(cached)
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(str(config.url)).name


def _check_weights(pretrained: bool, path: str | None, freeze_backbone: bool) -> None:
    if pretrained and path is not None:
        raise UserError("Give model.pretrained=true or model.pretrained_path=FILE, not both.")
    if freeze_backbone and not pretrained and path is None:
        raise UserError(
            "model.freeze_backbone=true trains the head of a pretrained backbone; "
            "add model.pretrained=true or model.pretrained_path=FILE."
        )


def _check_name(name: str) -> None:
    if timm.is_model(name.split(".")[0]):
        tags = timm.list_pretrained(f"{name.split('.')[0]}.*")
        if "." in name and name not in tags:
            raise UserError(
                f"model.name={name}: timm has no such weights.{did_you_mean(name, tags)}"
            )
        return
    hint = did_you_mean(name, [*timm.list_models(), *timm.list_models(pretrained=True)])
    raise UserError(f"model.name={name}: timm {timm.__version__} has no such model.{hint}")


def _create(
    name: str, pretrained: bool, path: str | None, config: Any, options: dict[str, Any]
) -> nn.Module:
    if pretrained and not (config and (config.hf_hub_id or config.url or config.file)):
        raise UserError(
            f"model.pretrained=true: timm has no pretrained weights for {name}; use "
            "model.pretrained=false, or give your own with model.pretrained_path=FILE."
        )
    if path is not None:
        file = Path(path).expanduser().absolute()
        if not file.is_file():
            raise UserError(f"model.pretrained_path={path}: there is no file {file}.")
        # timm then adapts the first layer to in_chans and leaves out the old head.
        options["pretrained_cfg_overlay"] = {"file": str(file)}
    try:
        model = timm.create_model(name, pretrained=pretrained or path is not None, **options)
    except UserError:
        raise
    except Exception as error:
        if path is not None:
            problem = f"{_first_line(error)}"
            raise UserError(
                f"model.pretrained_path={path} does not fit {name}: {problem}"
            ) from error
        if pretrained:
            raise UserError(_weights_missing(name, config, error)) from error
        raise UserError(f"model.name={name} cannot be built: {_first_line(error)}") from error
    assert isinstance(model, nn.Module)
    return model


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


def _preprocess(
    network: nn.Module, from_data: PreprocessSpec, img_size: int | None, with_weights: bool
) -> PreprocessSpec:
    if not with_weights:
        return from_data
    config = resolve_model_data_config(network)
    height, width = config["input_size"][-2:]
    if height != width and img_size is None:
        raise UserError(
            f"These weights expect images of {height}×{width} pixels, which are not square; "
            f"give a square size with model.img_size={min(height, width)}."
        )
    return PreprocessSpec(
        img_size=img_size or height,
        in_chans=from_data.in_chans,
        mean=adapt_channels(tuple(config["mean"]), from_data.in_chans),
        std=adapt_channels(tuple(config["std"]), from_data.in_chans),
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
        crop_mode=config["crop_mode"],
    )


def _freeze(network: Any) -> None:
    """Train only the head; keep the backbone in evaluation mode (batch statistics, dropout)."""
    network.requires_grad_(False)
    network.get_classifier().requires_grad_(True)
    network.register_forward_pre_hook(_keep_in_evaluation)


def _keep_in_evaluation(network: Any, inputs: Any) -> None:
    if network.training:
        network.eval()
        network.get_classifier().train()
