"""timm's models as they were published: by name, with their own head, classes and preprocessing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from timm.models._hub import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from torch import nn

from sightline.errors import UserError, did_you_mean
from sightline.models.timm_compat import quiet_timm


@dataclass(frozen=True)
class PublishedModel:
    """A model of timm's, or one of the sets of weights that it has.

    Attributes:
        name: as `model.name` takes it; with a tag where there are weights.
        parameters: with its own head; None where it cannot be built.
        input_size: channels, height and width of the images that it expects.
        has_weights: whether weights were published.
        cached: the weights' file on this machine; None where there is none.
    """

    name: str
    parameters: int | None
    input_size: tuple[int, int, int]
    has_weights: bool
    cached: Path | None


def published_models(pattern: str) -> Iterator[PublishedModel]:
    """The models, and the weights of each, whose names match a pattern.

    Args:
        pattern: of names, with `*` for any characters; with a tag of weights where it has a dot.

    Raises:
        UserError: none matches.
    """
    architecture = pattern.partition(".")[0]
    names = timm.list_models(architecture)
    tags = timm.list_pretrained(pattern if "." in pattern else f"{architecture}*")
    by_model: dict[str, list[str]] = {name: [] for name in names}
    for tag in tags:
        if (name := tag.partition(".")[0]) in by_model:
            by_model[name].append(tag)
    found = [
        each
        for name, of_model in by_model.items()
        for each in (of_model or ([] if "." in pattern else [name]))
    ]
    if not found:
        hint = did_you_mean(pattern.strip("*"), [*timm.list_models(), *timm.list_pretrained()])
        raise UserError(
            f"sightline models {pattern}: timm {timm.__version__} has no such model.{hint} "
            "Patterns have * for any characters, as in 'vit*'."
        )
    return map(_described, found)


def _described(name: str) -> PublishedModel:
    config = timm.get_pretrained_cfg(name)
    has_weights = "." in name and config is not None and bool(config.has_weights)
    size = (3, 224, 224) if config is None else config.input_size
    return PublishedModel(name, _parameters(name), size, has_weights, cached_weights(config))


def _parameters(name: str) -> int | None:
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), quiet_timm():
            network: nn.Module = timm.create_model(name)
    except Exception:  # noqa: BLE001  what a single model raises that cannot be built without memory
        return None
    return sum(parameter.numel() for parameter in network.parameters())


def cached_weights(config: Any) -> Path | None:
    """The file of published weights in this machine's caches; None where there is none.

    Args:
        config: timm's `pretrained_cfg`; None for a model without one.
    """
    if config is None:
        return None
    if config.hf_hub_id:
        for file in (config.hf_hub_filename, HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME):
            cached = try_to_load_from_cache(config.hf_hub_id, file) if file else None
            if isinstance(cached, str):
                return Path(cached)
    if config.url:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(str(config.url)).name
        return path if path.is_file() else None
    return None
