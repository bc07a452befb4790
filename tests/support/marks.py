"""A function of a stranger's that leaves a mark, and random configs that try to have it called."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

LEFT: list[object] = []


def leave(*words: object, **more: object) -> object:
    """Leave a mark, and be whatever the caller wants."""
    LEFT.append((words, more))
    return leave


# Each reaches `leave` by Hydra's attribute walking once `arm` has put it there.
NAMES = (
    "support.marks.leave", "torch.nn.marks.leave", "torch.nn.modules.module.marks.leave",
    "torch.nn.leave", "sightline.models.cnn.marks.leave", "sightline.models.cnn.leave",
    "sightline.label_modes.binary.leave", "sightline.training.losses.leave",
    "torch.optim.leave", "torchvision.transforms.v2.marks.leave", "kornia.augmentation.leave",
    "sightline.data.sources.digits.leave", "pytorch_lightning.marks.leave",
    "sightline.reports.sections.per_class.leave",
)  # fmt: skip
KEYS = (
    "_args_",
    "_partial_",
    "_recursive_",
    "_convert_",
    "_mode_",
    "callbacks",
    "layers",
    "0",
    "x",
)


def hostile(rng: random.Random, depth: int = 0) -> Any:
    """A random nesting around a node that names `leave`, in containers that Hydra walks."""
    kind = rng.randrange(10) if depth < 5 else 0
    if kind < 2:
        node: dict[str, Any] = {"_target_": rng.choice(NAMES)}
        if rng.random() < 0.3:
            node[rng.choice(KEYS)] = rng.choice([[1], True, "all", {"a": 1}])
        return node
    inner = hostile(rng, depth + 1)
    filler = rng.choice([1, None, "text", {"a": 2}, [3], "${oc.env:HOME}", {4, 5}, (6,), b"7"])
    if kind == 2:
        return [filler, inner]
    if kind == 3:
        return (inner, filler)
    if kind == 4:
        return {rng.choice(KEYS): inner}
    if kind == 5:
        return [inner, inner, [inner]]  # aliases
    if kind == 6:
        return OrderedDict({"x": filler, "y": inner})
    if kind == 7:
        around: list[Any] = [inner]
        around.append(around)  # a cycle
        return around
    if kind == 8:
        return {"_target_": "torch.nn.Identity", "x": inner}
    return {"_target_": inner, "x": filler}


def plant(config: dict[str, Any], place: str, rng: random.Random) -> dict[str, Any]:
    """The config with something hostile in one of its parts: as the part, or inside it."""
    found, node = hostile(rng), config[place]
    if rng.random() < 0.3:
        return config | {place: found}
    if rng.random() < 0.3 and isinstance(found, dict) and isinstance(node, dict):
        return config | {place: node | found}
    return config | {place: node | {rng.choice(["extra", *KEYS, *node]): found}}


def arm(setattr_of: Callable[..., None]) -> None:
    """Put `leave` within reach of attribute walking; `setattr_of` is monkeypatch's."""
    import sys

    import support.marks as marks

    for name in NAMES[1:]:
        path = name.removesuffix(".marks.leave").removesuffix(".leave")
        __import__(path)
        attribute = "marks" if name.endswith(".marks.leave") else "leave"
        value = marks if attribute == "marks" else leave
        setattr_of(sys.modules[path], attribute, value, raising=False)
