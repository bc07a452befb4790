"""Metrics formatted as text with their intervals, for the terminal and a run's note."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from sightline.io.printable import on_one_line
from sightline.metrics.metric import TUNED

FormattedMetrics = dict[str, dict[str, str]]  # by split, a metric's name to its value as text


def format_metrics(results: Mapping[str, Any]) -> FormattedMetrics:
    """Values with four decimals, each with its interval, or the reason why there is none.

    Args:
        results: `metrics`, `intervals` and `withheld`, each by split and then by the metric's name;
            stored results of earlier versions lack the last one.
    """
    intervals, withheld = results.get("intervals", {}), results.get("withheld", {})
    return {
        split: {
            n: _value(v, intervals.get(split, {}).get(n), withheld.get(split, {}).get(n))
            for n, v in metrics.items()
        }
        for split, metrics in results["metrics"].items()
    }


def rule_of(results: Mapping[str, Any]) -> str:
    """The decision rule of results, `default` or `tuned`.

    Results of earlier versions name none: thresholds that were fitted decided.
    """
    names = {name for metrics in results["metrics"].values() for name in metrics}
    derived = "tuned" if any(name.endswith(TUNED) for name in names) else "default"
    return str(results.get("tuning", {}).get("rule", derived))


def _value(value: float, ends: tuple[float, float] | None, withheld: str | None) -> str:
    if ends:
        return f"{value:.4f} [{ends[0]:.3f}, {ends[1]:.3f}]"
    return f"{value:.4f}" + (f" [too few to say: {withheld}]" if withheld else "")


def metrics_table(metrics: FormattedMetrics) -> Table:
    """A rich table with a row for each metric and a column for each split."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metric [95 % interval]", overflow="fold")
    for title in metrics:
        table.add_column(_escaped(title), justify="right")
    for name in dict.fromkeys(name for cells in metrics.values() for name in cells):
        table.add_row(
            _escaped(name), *(_escaped(cells.get(name, "")) for cells in metrics.values())
        )
    return table


def _escaped(text: str) -> str:
    return escape(on_one_line(text))
