"""Confusion matrices as figures, and the most confused pairs as a table."""

from collections.abc import Sequence

import numpy as np

from sightline.label_modes.base import ConfusionMatrix
from sightline.reports.canvas import to_chart
from sightline.reports.confusion_clusters import confusion_order
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.figures.confusion import MAX_NAMED, TITLES, draw_confusion
from sightline.reports.parts import Cell, Section, Table


def confusion_report(evaluated: EvaluatedSplit, max_pairs: int) -> Section:
    """Section with matrices of counts, of shares by row and by column, and the most confused pairs.

    Args:
        evaluated: the split.
        max_pairs: length of the list of pairs.
    """
    matrices = evaluated.matrices
    count = len(evaluated.class_names)
    charts = [
        to_chart(
            draw_confusion(matrices, f"{evaluated.split}: {TITLES[by]}, {evaluated.rule}", by),
            f"confusion_{by}",
            f"Confusion matrix of {count} classes, {TITLES[by]}, {evaluated.rule}",
            shrinks=count > MAX_NAMED,
        )
        for by in TITLES
    ]
    mixed = matrices[-1]
    if len(matrices) > 1:
        title = f"{evaluated.split}: labels confused with each other, {evaluated.rule}"
        figure = draw_confusion([mixed], title, "count")
        alt = f"How often each of {count} labels was missed for another, {evaluated.rule}"
        charts.append(to_chart(figure, "confusion_mixed", alt, shrinks=count > MAX_NAMED))
    tables = [confused_pairs(mixed, max_pairs, evaluated.rule)] if count > 2 else []
    if len(matrices) > 1:
        tables.append(_per_label(matrices[:-1], evaluated.rule))
    if len(matrices) == 1 and count > MAX_NAMED:
        order, groups = confusion_order(mixed.counts)
        rows = [
            (size, ", ".join(mixed.rows[i] for i in order[start : start + size]))
            for start, size in groups
        ]
        caption = f"Classes that are confused with each other, as framed above, {evaluated.rule}"
        tables.append(Table("confused_groups", caption, ("classes", "names"), rows))
    text = f"Rows are targets, columns are decisions by {evaluated.decided_by}."
    if len(matrices) > 1:
        text = f"One matrix for each label. {text}"
    return Section("Confusion", text, [*charts, *(table for table in tables if table.rows)])


def confused_pairs(matrix: ConfusionMatrix, count: int, rule: str) -> Table:
    """Table of the `count` largest cells off the diagonal; the rule that decided names it."""
    off = matrix.counts * ~np.eye(len(matrix.counts), dtype=bool)
    sums = np.maximum(matrix.counts.sum(axis=1), 1)
    largest = np.argsort(-off, axis=None, kind="stable")[:count]
    cells = zip(*np.unravel_index(largest, off.shape), strict=True)
    rows: list[list[Cell]] = [
        [matrix.rows[i], matrix.columns[j], int(off[i, j])]
        + ([float(off[i, j] / sums[i])] if matrix.sums_to_n else [])
        for i, j in cells
        if off[i, j]
    ]
    if not matrix.sums_to_n:
        columns = ["missed", "wrongly predicted", "samples"]
        return Table("confused_pairs", f"Labels that are confused most, {rule}", columns, rows)
    columns = ["target", "decided", "samples", "share"]
    return Table("confused_pairs", f"Pairs that are confused most, {rule}", columns, rows)


def _per_label(panels: Sequence[ConfusionMatrix], rule: str) -> Table:
    cells = ((1, 1), (1, 0), (0, 1), (0, 0))
    rows: list[list[Cell]] = [
        [panel.title, *(int(panel.counts[cell]) for cell in cells)] for panel in panels
    ]
    columns = ("label", "found", "missed", "wrongly predicted", "rightly left out")
    return Table("confusion_labels", f"Every label, {rule}", columns, rows)
