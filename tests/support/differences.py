"""Differences between two runs that are to be the same bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.predictions import Predictions
from sightline.runs.folder import BEST, LAST, RunFolder
from support.commands import client_of

PASSING = ("path", "second", "best_k")  # places and times, which may differ


def differing(one: Any, other: Any, where: str) -> Iterator[str]:
    """Where two checkpoints are not the same bit for bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if not any(word in str(key) for word in PASSING):
                yield from differing(one.get(key), other.get(key), f"{where}/{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            yield f"{where}: {len(one)} against {len(other)}"
        for index, pair in enumerate(zip(one, other, strict=False)):
            yield from differing(*pair, f"{where}/{index}")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if not torch.equal(one, other):
            yield where
    elif type(one) is not type(other) or (one != other and (one == one or other == other)):
        yield f"{where}: {one!r} against {other!r}"


def checkpoint_differences(one: Path, other: Path) -> Iterator[str]:
    for name in (BEST, LAST):
        states = [torch.load(folder / name, weights_only=True) for folder in (one, other)]
        yield from differing(*states, name)


def histories(folder: Path) -> dict[tuple[str, int], list[float]]:
    """Every point that a run logged, except times."""
    points: dict[tuple[str, int], list[float]] = {}
    for key, logged in RunFolder(folder).state.points.items():
        for step, value in logged:
            if not any(word in key for word in PASSING):
                points.setdefault((key, step), []).append(value)
    return points


def stored(root: Path, folder: Path) -> dict[tuple[str, int], list[float]]:
    """The same as MLflow has them."""
    client, run_id = client_of(root), RunFolder(folder).upload.position()["run_id"]
    points: dict[tuple[str, int], list[float]] = {}
    for key in {key for key, _ in histories(folder)}:
        for point in client.get_metric_history(run_id, key):
            points.setdefault((key, point.step), []).append(point.value)
    return points


def run_differences(root: Path, one: Path, other: Path) -> list[str]:
    """What tells two finished runs apart; nothing, if all is well."""
    found = list(checkpoint_differences(one, other))
    for split in ("val", "test"):
        tables = [Predictions.read(each / f"predictions/{split}.parquet") for each in (one, other)]
        if not np.array_equal(tables[0].ids, tables[1].ids):
            found.append(f"ids of {split}")
        if not np.array_equal(tables[0].probs, tables[1].probs):
            found.append(f"predictions of {split}")
    points = histories(one)
    for name, others in (("logged", histories(other)), ("in MLflow", stored(root, other))):
        for key in points.keys() | others.keys():
            if points.get(key) != others.get(key):
                found.append(f"{name}: {key} {points.get(key)} against {others.get(key)}")
    status = client_of(root).get_run(RunFolder(other).upload.position()["run_id"]).info.status
    return found if status == "FINISHED" else [*found, f"the run's status is {status}"]
