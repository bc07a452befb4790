"""Metrics in words, for the terminal and a run's note."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

Words = dict[str, dict[str, str]]  # for each split, a metric's name to its value in words


def results_in_words(results: Mapping[str, Any]) -> Words:
    """Values with their intervals.

    Args:
        results: `metrics` and `intervals`, each by split and then by name.
    """
    intervals = results.get("intervals", {})
    return {
        split: {n: _value(v, intervals.get(split, {}).get(n)) for n, v in metrics.items()}
        for split, metrics in results["metrics"].items()
    }


def _value(value: float, ends: tuple[float, float] | None) -> str:
    return f"{value:.4f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")


def metrics_table(words: Words) -> Table:
    """A row a metric, a column a split."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metric [95 % interval]", overflow="fold")
    for title in words:
        table.add_column(title, justify="right")
    for name in dict.fromkeys(name for cells in words.values() for name in cells):
        table.add_row(name, *(_escaped(cells.get(name, "")) for cells in words.values()))
    return table


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
