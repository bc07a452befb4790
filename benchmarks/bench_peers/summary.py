"""Medians and spreads of a benchmark's rows, from one line of JSON a training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

BASE = "by_hand"  # the row that others are divided by


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the least and the greatest value."""

    median: float
    least: float
    greatest: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        """Of those that are given; None: none is."""
        given = [value for value in values if value is not None]
        return cls(median(given), min(given), max(given), len(given)) if given else None


@dataclass(frozen=True)
class Summary:
    """One row of the table.

    Attributes:
        title: of the row.
        speed: images per second of epoch 2 on.
        ratio: speed over that of the hand-written loop in the same round.
        seconds: of the whole command, by number of epochs.
        first_step: seconds to the end of the first step.
        memory: peak in MiB.
        accuracy: of val after the last epoch.
        gpu_percent: mean use of the GPU in epoch 2 on.
        gpu_memory: peak in MiB.
    """

    title: str
    speed: Spread
    ratio: Spread | None
    seconds: Mapping[int, Spread]
    first_step: Spread | None
    memory: Spread | None
    accuracy: Spread | None
    gpu_percent: Spread | None
    gpu_memory: Spread | None


def summarise(results: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[Summary]:
    """The rows, the fastest first; all but the time of the command is of the compared trainings.

    Args:
        results: one of each training: what `measure` gives, and its `round`.
        titles: of the rows, by key.
    """
    compared = [result for result in results if result["compared"]]
    base = {r["round"]: r["images_per_second"] for r in compared if r["row"] == BASE}
    rows = []
    for row, title in titles.items():
        own = [result for result in compared if result["row"] == row]
        speed = Spread.of(result["images_per_second"] for result in own)
        if speed is None:
            continue
        ratios = [r["images_per_second"] / base[r["round"]] for r in own if r["round"] in base]
        spreads = {
            name: Spread.of(result.get(key) for result in own)
            for name, key in (
                ("first_step", "first_step_s"), ("memory", "peak_mib"),
                ("accuracy", "val_accuracy"),
                ("gpu_percent", "gpu_percent"), ("gpu_memory", "gpu_peak_mib"),
            )
        }  # fmt: skip
        seconds = _seconds([result for result in results if result["row"] == row])
        rows.append(Summary(title, speed, Spread.of(ratios), seconds, **spreads))
    return sorted(rows, key=lambda row: -row.speed.median)


def _seconds(results: Sequence[Mapping[str, Any]]) -> dict[int, Spread]:
    """Of the whole command, by number of epochs."""
    lengths = sorted({result["epochs"] for result in results})
    spreads = {n: Spread.of(r["seconds"] for r in results if r["epochs"] == n) for n in lengths}
    return {n: spread for n, spread in spreads.items() if spread is not None}
