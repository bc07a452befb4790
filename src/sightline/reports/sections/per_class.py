"""Precision, recall and F1 of every class, as a chart with intervals and as a table."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sightline.metrics.metric import TUNED
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.metrics.tuning import Tuning
from sightline.reports.canvas import new_figure, short, styled, to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import cell_of
from sightline.reports.parts import Cell, Section, Table

Row = Mapping[str, object]
MEASURES = ("precision", "recall", "f1")
MAX_CLASSES = 20


@styled
def draw_per_class(rows: Sequence[Row], title: str, suffix: str = "") -> Figure:
    """One row for each class, the lowest F1 first; a dot for each measure, with its interval.

    Args:
        rows: `class`, `support` and the measures, each with `_low` and `_high` where there is an
            interval; of more than 20 classes, those with the lowest F1 are drawn.
        title: of the figure.
        suffix: of the columns of the decision rule that is drawn.
    """
    ordered = sorted(rows, key=lambda row: _number(row[f"f1{suffix}"], last=2.0))
    if len(ordered) > MAX_CLASSES:
        title += f"\nthe {MAX_CLASSES} of {len(rows)} classes with the lowest F1"
        ordered = ordered[:MAX_CLASSES]
    figure = new_figure(0.34 * len(ordered) + 1.3)
    ax = figure.subplots()
    places = np.arange(len(ordered))
    for index, name in enumerate(MEASURES):
        measure = name + suffix
        values = np.array([_number(row[measure]) for row in ordered])
        lows = np.array([_number(row.get(f"{measure}_low")) for row in ordered])
        highs = np.array([_number(row.get(f"{measure}_high")) for row in ordered])
        at = places + 0.24 * (index - 1)
        colour = f"C{index}"
        ax.hlines(at, lows, highs, color=colour, alpha=0.6, linewidth=1.5)
        ax.plot(values, at, "o", color=colour, markersize=4, label=name.replace("f1", "F1"))
    for place in places[1:]:
        ax.axhline(place - 0.5, color="0.9", linewidth=0.6)
    names = [f"{short(str(row['class']))} ({row['support']})" for row in ordered]
    ax.set_yticks(places, names)
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(len(ordered) - 0.4, -0.6), xlim=(-0.02, 1.02), title=title)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def per_class_report(evaluated: EvaluatedSplit, per_class: list[dict[str, object]]) -> Section:
    """Section with the chart and the table.

    Args:
        evaluated: the split.
        per_class: one row for each class.
    """
    title = f"{evaluated.split}: each class (samples), {evaluated.rule}"
    figure = draw_per_class(per_class, title, evaluated.tuning.suffix)
    bars = "; the lines are 95 % intervals" if "recall_low" in per_class[0] else ""
    chart = to_chart(figure, "per_class", f"Precision, recall and F1 of {len(per_class)} classes")
    text = f"Each class against the others by {evaluated.decided_by}, the worst first{bars}."
    if evaluated.tuning.thresholds is not None:
        text += (
            " The table has the decisions by both rules, and each class's own threshold: its "
            "calibrated probability, over which the tuned rule decides for it."
        )
    return Section("Classes", text, [chart, _table(per_class, evaluated.tuning)])


def _table(rows: Sequence[Row], tuning: Tuning) -> Table:
    """Table of the rows, each value with its interval; per_class/SPLIT.csv holds the numbers.

    The columns of the run's decision rule come first.
    """
    first = ["class", "support", *(f"{measure}{tuning.suffix}" for measure in MEASURES)]
    rest = [key for key in rows[0] if not key.endswith(("_low", "_high")) and key not in first]
    columns = [*first, *rest]
    cells = [[_cell(row, key) for key in columns] for row in rows]
    both = tuning.thresholds is not None
    return Table(None, "Every class", [_title(key, both) for key in columns], cells)


def _title(column: str, both: bool) -> str:
    """A column's title; where there are decisions by two rules, with its rule."""
    measure = column.removesuffix(TUNED)
    if not both or measure not in MEASURES:
        return column
    return f"{measure} ({RULE_TITLES['default' if measure == column else 'tuned']})"


def _cell(row: Row, key: str) -> Cell:
    if f"{key}_low" in row:
        return cell_of(row, key, f"{key}_low", f"{key}_high")
    value = row[key]
    known = isinstance(value, str | int | float) and value == value
    return value if known else None  # type: ignore[return-value]


def _number(value: object, last: float = float("nan")) -> float:
    return float(value) if isinstance(value, int | float) and value == value else last
