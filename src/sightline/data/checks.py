"""Checks of a data set by its columns and content digests, without decoding images."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.data.source_data import Split
from sightline.errors import counted
from sightline.label_modes.base import LabelMode

RARE = 10  # a class with fewer training images is called rare


@dataclass(frozen=True)
class Problem:
    """One problem of a data set.

    Attributes:
        check: name of the check.
        serious: whether it makes metrics wrong.
        message: the problem, and its remedy.
        details: names of the samples or classes.
    """

    check: str
    serious: bool
    message: str
    details: list[Any]


def check_columns(
    splits: dict[str, Split], contents: dict[str, np.ndarray], label_mode: LabelMode
) -> Iterator[Problem]:
    """All checks of this module."""
    yield from check_classes(splits, label_mode)
    yield from check_duplicates(splits, contents)
    yield from check_groups(splits)


def check_classes(splits: dict[str, Split], label_mode: LabelMode) -> Iterator[Problem]:
    """Empty and rare classes, and labels that are never or always on."""
    for name, split in splits.items():
        counts = label_mode.count(split.targets)
        absent = [label for label, count in counts.items() if count == 0]
        if absent:
            yield Problem(
                "classes", False,
                f"No samples of {_some(absent)} in {name}: not measured there.", absent,
            )  # fmt: skip
        if split.targets.ndim == 2:
            known = (split.targets >= 0).sum(axis=0)
            always = [
                label for (label, count), n in zip(counts.items(), known, strict=True)
                if 0 < count == n
            ]  # fmt: skip
            if always:
                yield Problem(
                    "classes", False,
                    f"{_some(always)} is always on in {name}: there is nothing to learn.", always,
                )  # fmt: skip
    if "train" not in splits:  # it is streamed
        return
    counts = label_mode.count(splits["train"].targets)
    rare = [f"{label} ({count})" for label, count in counts.items() if 0 < count < RARE]
    if rare:
        yield Problem("classes", False, f"Rare in train (under {RARE}): {_some(rare)}.", rare)


def check_duplicates(
    splits: dict[str, Split], contents: dict[str, np.ndarray]
) -> Iterator[Problem]:
    """The same image (to the byte) twice: within a split, across splits, with other labels.

    Args:
        splits: all of them.
        contents: content digests of each split's images, by the split's name.
    """
    names, ids, targets, digests = [], [], [], []
    for name, split in splits.items():
        names += [name] * len(split)
        ids.append(split.ids)
        targets.append(split.targets)
        digests.append(contents[name][split.rows])
    keys = np.ascontiguousarray(np.concatenate(digests)).view("V16").reshape(-1)
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
    flat_targets = np.concatenate(targets)
    starts = np.cumsum([0, *(len(each) for each in ids)])

    def where(position: int) -> str:
        part = int(np.searchsorted(starts, position, side="right")) - 1
        return f"{names[position]}:{ids[part][position - int(starts[part])].as_py()}"

    found = defaultdict(list)
    for alike in np.split(order, edges):
        if len(alike) < 2 or not np.any(np.frombuffer(keys[alike[0]].tobytes(), np.uint8)):
            continue  # zeros stand for an image that cannot be read
        if (flat_targets[alike] != flat_targets[alike[0]]).any():
            found["contradictory"].append(alike)
        parts = {names[position] for position in alike}
        found["across" if len(parts) > 1 else "within"].append(alike)
    texts = {
        "contradictory": "with different labels in different places",
        "across": "in more than one split, so evaluation sees what was learnt",
        "within": "more than once within a split",
    }
    for kind, text in texts.items():
        if found[kind]:
            details = [[where(int(p)) for p in alike] for alike in found[kind]]
            yield Problem(
                "duplicates", kind != "within",
                f"{counted(len(found[kind]), 'image')} {text}: "
                + " = ".join(details[0][:4])
                + (", ..." if len(found[kind]) > 1 else "."), details,
            )  # fmt: skip


def check_groups(splits: dict[str, Split]) -> Iterator[Problem]:
    """Groups that are in more than one split."""
    groups = {name: set(s.groups.tolist()) for name, s in splits.items() if s.groups is not None}
    pairs = [("train", "val"), ("train", "test"), ("val", "test")]
    for first, second in pairs:
        both = groups.get(first, set()) & groups.get(second, set())
        if both:
            yield Problem(
                "groups", True,
                f"{counted(len(both), 'group')} both in {first} and in {second}, so "
                "evaluation sees what was learnt. Leave out data.split_column to split them by "
                "group.",
                sorted(both),
            )  # fmt: skip


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
