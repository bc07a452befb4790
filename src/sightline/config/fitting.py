"""The resolver of the configs that picks a value by what learns: `${fitting:{scratch:1,...}}`."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from sightline.config.fine_tuning_keys import way_of_training
from sightline.config.legacy import OF_TARGET


def fitting(values: Mapping[str, Any], *, _root_: DictConfig) -> Any:
    """The value for the composed model: by `scratch`, `whole`, `head` or `lora`.

    Args:
        values: one for each of them; see `way_of_training`.
        _root_: the whole config, which OmegaConf gives.
    """
    model = _root_.model
    parts = ("pretrained", "pretrained_path", "freeze_backbone", "lora_rank")
    own = model.get("_target_") == OF_TARGET["model"]  # others have keys of their own meaning
    return values[way_of_training({part: model.get(part) for part in parts if own})]
