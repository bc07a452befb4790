"""Influence of a config's keys on a training's results, and the digest that groups runs by it.

A key influences the results unless `NO_INFLUENCE` has it: a new key tells runs apart by default.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from sightline.config.decided import (
    ACCUMULATED,
    BATCH_SIZE,
    GEOMETRY,
    INPUT,
    LR,
    PRECISION,
    TEACHER,
    TRAIN,
    WEIGHTS,
    as_decided,
)
from sightline.config.legacy import BEFORE
from sightline.config.schema import REPLICATES

# Keys, or nodes with all keys below them, that leave the numbers of a training alone, and why.
NO_INFLUENCE: Final[Mapping[str, str]] = MappingProxyType({
    "tracking": "where and as what a run is logged",
    "report": "sections of report.html",
    "lr_finder": "tries learning rates on a copy",
    "sweep": "when a sweep ends",
    "hydra": "folders and processes",
    "checkpoint": "a resumed training repeats the uninterrupted one",
    "evaluate_test": "test is evaluated after the training, or not",
    "plugins": "what may be named; what is named counts",
    "monitor_mode": "follows from the metric; a contradiction is an error",
    "data.root": "a place; data.digest.* tell the content",
    "data.path": "a place",
    "data.val": "a place",
    "data.test": "a place",
    "data.split_file": "a place",
    "data.download": "how the data gets to its place",
    "data.allow_outside": "what may be read; what was read is in data.digest.*",
    "data.on_error": "likewise: a skipped sample is not in data.digest.*",
    "data.max_skipped_fraction": "likewise",
    "data.metadata_columns": "columns for slices",
    "data.num_workers": "random numbers are drawn by seed, epoch and sample",
    "data.cache": "the same images in each; augment.form tells how they were augmented",
    "data.cache_max_gib": "likewise",
    "trainer.accelerator": "rounding alone, as another machine of the same kind",
    "trainer.devices": "trainer.world_size tells how many there were",
    "trainer.num_nodes": "likewise",
    "trainer.log_every_n_steps": "Lightning's own logger, which is off",
    "trainer.profiler": "measures alone",
    "trainer.tf32": "rounding alone, as another kind of device",
    "model.compile": "likewise",
    "model.channels_last": "likewise",
    "model.grad_checkpointing": "the same numbers, computed a second time",
})  # fmt: skip

# Raised when the same config and data are meant to give other results than before. The versions of
# torch and other packages change rounding, as hardware does: they are provenance, and `reproduce`
# compares them. Runs of before have none.
REVISION: Final = 1

REVISION_KEY: Final = "sightline.revision"
FORM: Final = "augment.form"  # which of the two forms of `augment` was used
BATCHES: Final = "batches"
IMAGES: Final = "images"
WORLD_SIZE: Final = "trainer.world_size"
FRACTION: Final = "data.train_fraction"
PER_CLASS: Final = "data.per_class"
TEACHER_RUN: Final = "method.teacher.run"  # its id in MLflow
# Parameters that a run found out and its results depend on, beside those below `label_mode`.
DECIDED: Final = (
    REVISION_KEY, FORM, GEOMETRY, WORLD_SIZE, WEIGHTS, TRAIN, "data.digest.val",
    "data.digest.test", INPUT, "model.parameters", PRECISION, TEACHER, BATCH_SIZE, ACCUMULATED, LR,
)  # fmt: skip
IN_PLACE: Final = (PRECISION, BATCH_SIZE, ACCUMULATED, LR)  # of the values that left them open
# Keys that say nothing with the value that stands for their absence in older configs.
SILENT: Final = (
    "model", "optimizer", "method", "callbacks", "augment.geometry", "augment.frame_size",
    "augment.repeats", "mix_off_epochs", "data.img_size_schedule", "ema.warmup", "swa",
    FRACTION, PER_CLASS, "data.effective_batch_size", "tuning.risk", "tuning.coverage",
    "tuning.sets", "tuning.sets_by", "tuning.raps_penalty", "tuning.raps_rank",
    "tuning.ood", "tuning.ood_false_alarms",
)  # fmt: skip
AUGMENTS: Final = ("transforms", "batch_transforms", "geometry")  # of `augment`
TRAIN_IMAGES: Final = "data.train_images"  # how many there are, where data.train_fraction is set
POOL: Final = "data.digest.drawn_from"  # of all training samples, where a part is drawn
ALL_OF_TRAIN: Final = ("1", "1.0")  # such a fraction, as where nothing is drawn
OF_A_FOLD: Final = (TRAIN, "data.digest.val")


@cache  # keys are few, runs are many
def has_influence(key: str) -> bool:
    """Whether runs that differ in this key are of different configs."""
    return not is_under(key, (*REPLICATES, *NO_INFLUENCE))


def is_under(key: str, nodes: tuple[str, ...]) -> bool:
    """Whether a key, or the choice of a config group, is one of these or below one of them."""
    return any(key == node or key.startswith((f"{node}.", f"{node}/")) for node in nodes)


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a config under its dotted key: `augment.transforms.0.degrees`.

    A list is one value, unless components are in it; an empty list or node is a value too.
    """
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list) and _holds_nodes(node):
        for number, value in enumerate(node):
            yield from leaves(value, f"{key}.{number}")
    else:
        yield key, node


def influences(config: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What the results depend on beside seed, fold and draw: config, and facts of the run.

    Args:
        config: resolved, as plain containers.
        params: of the run; of these the facts that it found out, such as the positive class that
            the config leaves open.
    """
    silent = {(k, str(v)) for k, v in leaves(BEFORE) if is_under(k, SILENT)}
    silent |= {(FRACTION, whole) for whole in ALL_OF_TRAIN}
    found = {
        key: value
        for key, value in leaves(config)
        if has_influence(key) and (key, str(value)) not in silent
    }
    augment = config.get("augment") or {}
    if not any(augment.get(key) for key in AUGMENTS):
        found.pop(FORM, None)  # of nothing
    decided = {
        key: str(value)
        for key, value in params.items()
        if key in DECIDED or key.startswith("label_mode.")
    }
    if POOL in params:  # of any draw
        decided[TRAIN] = str(params[POOL])
    if config.get("data", {}).get("folds") is not None:
        decided = {key: value for key, value in decided.items() if key not in OF_A_FOLD}
    facts = {key: str(value) for key, value in params.items()}
    return as_decided(found, facts) | {k: v for k, v in decided.items() if k not in IN_PLACE}


def group_digest(influencing: Mapping[str, Any]) -> str:
    """32 hexadecimal digits over keys and values; 5 and 5.0 are one value."""
    text = json.dumps({key: _plain(value) for key, value in influencing.items()}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _holds_nodes(values: list[Any]) -> bool:
    return any(
        isinstance(each, Mapping) or (isinstance(each, list) and _holds_nodes(each))
        for each in values
    )
