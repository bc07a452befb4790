"""Former names of components, and keys that older runs and checkpoints do not hold."""

import copy
from collections.abc import Mapping
from typing import Any

SECTIONS = (
    "confusion", "curves", "embedding", "gallery", "grad_cam", "label_errors", "learning_curves",
    "per_class", "reliability",
)  # fmt: skip
LOSSES = ("asymmetric", "bce", "cross_entropy", "focal")
# 0.1.0: every section of the report was a module of `reports`, every loss a function of `losses`.
MOVED = {
    f"sightline.reports.{name}.{name}_report": f"sightline.reports.sections.{name}.{name}_report"
    for name in SECTIONS
} | {
    f"sightline.training.losses.{name}": f"sightline.training.losses.{name}.{name}"
    for name in LOSSES
}

# Keys that are newer than some configs, with what was done before.
BEFORE: dict[str, Any] = {
    "data.decode": "fast",
    "data.split_by": "seed",
    "data.geometry": None,
    "data.bits": 16,
    "data.range": None,
    "data.channels": None,
    "model.head_std": None,
    "model.cache_features": False,
    "model.freeze_batch_norm": False,
    "model.lora_rank": None,
    "model.lora_alpha": 16.0,
    "model.lora_layers": [
        "*.qkv",
        "*.q",
        "*.k",
        "*.v",
        "*.kv",
        "*.q_proj",
        "*.k_proj",
        "*.v_proj",
    ],
    "optimizer.decay_all": True,
    "optimizer.layer_decay": None,
    "optimizer.head_lr_factor": 1.0,
    "optimizer.param_groups": [],
    "optimizer.agc": None,
    "optimizer.lr_scaling": None,
    "optimizer.lr_base_size": 256,
    "data.effective_batch_size": None,
    "lr_finder": False,
    "tuning.risk": None,
    "tuning.coverage": None,
    "tuning.sets": None,
    "tuning.sets_by": None,
    "tuning.raps_penalty": 0.01,
    "tuning.raps_rank": 5,
    "tuning.ood": None,
    "tuning.ood_false_alarms": 0.05,
    "method": {"_target_": "sightline.training.methods.supervised.Supervised"},
    "callbacks": [],
    "data.img_size_schedule": None,
    "data.train_fraction": None,
    "data.per_class": None,
    "data.draw_seed": 0,
    "augment.form": "auto",
    "augment.geometry": None,
    "augment.frame_size": "auto",
    "augment.repeats": 1,
    "mix_off_epochs": 0,
    "ema.warmup": False,
    "swa": {"start_epoch": None},
    "model.compile": False,
    "model.channels_last": False,
    "model.grad_checkpointing": False,
    "trainer.tf32": None,
    "trainer.precision": "32-true",
}
# Those of them whose default is another now.
CHANGED = (
    "data.decode", "data.geometry", "data.bits", "data.channels", "model.head_std",
    "optimizer.decay_all", "model.channels_last", "trainer.tf32", "trainer.precision",
)  # fmt: skip
# Nodes of one component, whose keys others do not have; and the keys that all of them have.
OF_TARGET = {"model": "sightline.models.backbone.timm_backbone"}
OF_ALL = ("model.compile", "model.channels_last", "model.grad_checkpointing")


def as_of_now(values: Mapping[str, Any]) -> dict[str, Any]:
    """A config of any version as this one writes it."""
    current = with_current_targets(values)
    for key, before in BEFORE.items():
        *path, name = key.split(".")
        node = current.get(path[0]) if path else current
        if isinstance(node, dict) and (key in OF_ALL or _has_key(path, node)):
            node.setdefault(name, copy.deepcopy(before))
    return current


def _has_key(path: list[str], node: Mapping[str, Any]) -> bool:
    """Whether the component of a node is one that has keys such as those of `BEFORE`."""
    target = OF_TARGET.get(path[0]) if path else None
    return target is None or node.get("_target_") == target


def with_current_targets(values: Mapping[str, Any]) -> dict[str, Any]:
    """A config in which every `_target_`, at any depth, has its present name."""
    return {str(key): _current(key, value) for key, value in values.items()}


def _current(key: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        return with_current_targets(value)
    if isinstance(value, list):
        return [_current(None, item) for item in value]
    return MOVED.get(value, value) if key == "_target_" else value
