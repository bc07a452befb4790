"""ROC and precision–recall curves of each class against the rest, and their mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from sightline.reports.canvas import WIDTH, new_figure, short, styled, to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Section, Table

GRID = np.linspace(0, 1, 501)
MAX_NAMED = 10  # with more classes, only the worst are named and coloured
WORST = 5
MAX_CELLS = 20_000_000  # probabilities, N · C, which take about ten seconds to sort


@dataclass(frozen=True)
class Curve:
    """One class against the rest, on `GRID`.

    Attributes:
        name: class name.
        heights: true-positive rates over false-positive rates, or precision over recall; shape
            (501,), in [0, 1].
        area: AUROC or average precision.
        positives: number of samples of the class.
    """

    name: str
    heights: np.ndarray
    area: float
    positives: int


def roc_curves(evaluated: EvaluatedSplit) -> list[Curve]:
    """ROC curves of every class that has positive and negative samples."""
    return _curves(evaluated, _roc, needs_negatives=True)


def precision_recall_curves(evaluated: EvaluatedSplit) -> list[Curve]:
    """Precision–recall curves of every class that has samples."""
    return _curves(evaluated, _precision_recall, needs_negatives=False)


def _curves(
    evaluated: EvaluatedSplit,
    compute: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, float]],
    needs_negatives: bool,
) -> list[Curve]:
    curves = []
    for index in evaluated.one_vs_rest:
        known = ~np.isnan(evaluated.truth[:, index])
        target = evaluated.truth[known, index]
        positives = int(target.sum())
        if positives == 0 or (needs_negatives and positives == len(target)):
            continue
        heights, area = compute(target, evaluated.table.probs[known, index])
        curves.append(Curve(evaluated.class_names[index], heights, area, positives))
    return curves


def _roc(target: np.ndarray, prob: np.ndarray) -> tuple[np.ndarray, float]:
    false_positives, true_positives, _ = roc_curve(target, prob)
    return np.interp(GRID, false_positives, true_positives), float(
        auc(false_positives, true_positives)
    )


def _precision_recall(target: np.ndarray, prob: np.ndarray) -> tuple[np.ndarray, float]:
    precision, recall, _ = precision_recall_curve(target, prob)
    # Between two recalls the precision is that of the higher one; recalls are in falling order.
    at = np.searchsorted(recall[::-1], GRID - 1e-12)
    heights = precision[::-1][np.minimum(at, len(precision) - 1)]
    return heights, float(average_precision_score(target, prob))


@styled
def draw_curves(curves: Sequence[Curve], kind: str, title: str) -> Figure:
    """Curves of up to 10 classes in colours; of more, the worst five in colours, the others grey.

    Args:
        curves: at least one.
        kind: `roc` or `precision_recall`.
        title: of the figure.
    """
    roc = kind == "roc"
    worst = sorted(range(len(curves)), key=lambda i: curves[i].area)
    named = range(len(curves)) if len(curves) <= MAX_NAMED else worst[:WORST]
    lines = len(named) + (len(curves) > 1) + (len(curves) > MAX_NAMED)
    figure = new_figure(WIDTH * 0.85 + 0.09 * lines + 0.3)
    ax = figure.subplots()

    def line(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The points of a curve; a ROC curve begins at (0, 0)."""
        return (np.append(0, GRID), np.append(0, heights)) if roc else (GRID, heights)

    if roc:
        ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle=":")
    for i, curve in enumerate(curves):
        if i not in named:
            ax.plot(*line(curve.heights), color="0.75", linewidth=0.5, alpha=0.7)
    if len(curves) > MAX_NAMED:
        ax.plot([], [], color="0.75", label=f"the other {len(curves) - WORST} classes")
    for i in named:
        ax.plot(*line(curves[i].heights), linewidth=1.2,
                label=f"{short(curves[i].name)}  {curves[i].area:.3f}")  # fmt: skip
    if len(curves) > 1:
        mean = np.mean([curve.heights for curve in curves], axis=0)
        area = np.mean([curve.area for curve in curves])
        ax.plot(*line(mean), color="black", linewidth=2, label=f"mean of all  {area:.3f}")
    ax.set_xlabel("false-positive rate" if roc else "recall")
    ax.set_ylabel("true-positive rate" if roc else "precision")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def curves_report(evaluated: EvaluatedSplit) -> Section:
    """Section with both kinds of curves and the areas of every class.

    A table of more than 20 million probabilities is sampled.
    """
    total = len(evaluated.table)
    limit = max(1, MAX_CELLS // len(evaluated.class_names))
    if total > limit:
        evaluated = evaluated.sample(limit, seed=0)
    charts, areas = [], {}
    for kind, title, curves in (
        ("roc", "ROC, one class against the rest", roc_curves(evaluated)),
        ("precision_recall", "precision and recall", precision_recall_curves(evaluated)),
    ):
        areas[kind] = {curve.name: curve for curve in curves}
        if curves:
            alt = f"{title}: curves of {len(curves)} classes"
            figure = draw_curves(curves, kind, f"{evaluated.split}: {title}")
            charts.append(to_chart(figure, kind, alt))
    names = [evaluated.class_names[i] for i in evaluated.one_vs_rest]
    rows = [
        (
            name,
            areas["precision_recall"][name].positives if name in areas["precision_recall"] else 0,
            areas["roc"][name].area if name in areas["roc"] else None,
            areas["precision_recall"][name].area if name in areas["precision_recall"] else None,
        )
        for name in names
    ]
    columns = ("class", "samples", "AUROC", "average precision")
    text = "How well the probabilities rank the samples, independent of a threshold."
    if total > limit:
        text += f" Of {limit:,} samples, chosen at random from {total:,}."
    absent = [name for name, samples, *_ in rows if samples == 0]
    if absent:
        text += f" Without samples, and so without a curve: {', '.join(absent[:20])}" + (
            f" and {len(absent) - 20} more." if len(absent) > 20 else "."
        )
    return Section("Ranking", text, [*charts, Table("areas", "Areas", columns, rows)])
