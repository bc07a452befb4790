"""Selective prediction and sets: the risk of the surest answers, and what sets hold."""

import numpy as np
from matplotlib.figure import Figure

from sightline.errors import UserError
from sightline.metrics.selective import RiskCoverage
from sightline.metrics.tuned_table import thresholds_of_calibrated
from sightline.reports.canvas import WIDTH, new_figure, styled, to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Cell, Part, Section, Table
from sightline.reports.set_parts import set_tables

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.5)


@styled
def draw_risk_coverage(
    curve: RiskCoverage, title: str, given: tuple[float, float] | None = None
) -> Figure:
    """The curve, and the risk of answering at random.

    Args:
        curve: of known answers.
        title: of the figure.
        given: coverage and risk of the answers over the fitted certainty; None without one.
    """
    figure = new_figure(WIDTH * 0.75)
    ax = figure.subplots()
    ax.axhline(curve.risk[-1], color="0.7", linewidth=0.8, linestyle=":", label="all answers")
    ax.plot(curve.coverage, curve.risk, linewidth=1.3, label="the surest answers")
    if given is not None:
        ax.plot(*given, "o", color="C1", markersize=5, label="over the fitted certainty")
    ax.set(xlim=(0, 1.02), ylim=(0, None), xlabel="coverage: share that is answered",
           ylabel="risk: share of these that is wrong", title=title)  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def selective_report(evaluated: EvaluatedSplit) -> Section:
    """Section with the curve, its area, and the risk at a few coverages.

    Raises:
        UserError: no target is known.
    """
    right, known = (each.numpy() for each in evaluated.answers)
    if not known.any():
        raise UserError("no target is known.")
    sure, abstention = evaluated.tuned.certainties, evaluated.tuning.abstention
    curve = RiskCoverage.of(sure[known], right[known])
    rows: list[list[Cell]] = [
        [f"the surest {coverage:.0%}", coverage, _certainty_at(curve, coverage),
         curve.risk_at(coverage)]
        for coverage in COVERAGES
    ]  # fmt: skip
    given = None
    text = (
        f"What is wrong of the surest answers, by {evaluated.decided_by}. An answer's certainty is "
        f"{_certainty_words(evaluated)}. The area under the curve is {curve.area():.4f}."
    )
    if abstention is not None:
        answered = evaluated.tuned.answered & known
        wrong = (answered & ~right).sum() / max(answered.sum(), 1)
        given = (float(answered.sum() / known.sum()), float(wrong))
        rows.append(["over the fitted certainty", given[0], abstention.threshold, given[1]])
        text += f" The model gives {abstention.words()}."
    figure = draw_risk_coverage(
        curve, f"{evaluated.split}: risk over coverage, {evaluated.rule}", given
    )
    alt = f"Risk of the surest answers over their share, {evaluated.rule}"
    chart = to_chart(figure, "risk_coverage", alt)
    columns = ("answers", "coverage", "certainty from", "risk")
    table = Table("risk_coverage", f"Risk at a coverage, {evaluated.rule}", columns, rows)
    parts: list[Part] = [chart, table]
    if evaluated.tuning.sets is not None:
        text += f" Sets: {evaluated.tuning.sets.words(evaluated.label_mode.multi_label)}."
        parts += set_tables(evaluated)
    return Section("When not to answer", text, parts)


def _certainty_words(evaluated: EvaluatedSplit) -> str:
    """What a certainty is, by the thresholds that decide."""
    words = "the calibrated probability of what is decided"
    if thresholds_of_calibrated(evaluated.label_mode, evaluated.tuning) is None:
        return words
    return f"{words}, its odds divided by those of the threshold: 0.5 on the threshold"


def _certainty_at(curve: RiskCoverage, coverage: float) -> float:
    """The least certainty among the surest answers."""
    place = np.searchsorted(curve.coverage, coverage - 1e-9)
    return float(curve.certainty[min(int(place), len(curve.certainty) - 1)])
