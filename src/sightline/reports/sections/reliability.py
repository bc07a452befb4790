"""Calibration: the reliability diagram before and after temperature scaling."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from sightline.metrics.calibration import Reliability, calibration_metrics, reliability
from sightline.reports.canvas import WIDTH, new_figure, styled, to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Section, Table


@styled
def draw_reliability(diagrams: Mapping[str, Reliability], title: str) -> Figure:
    """Share that came true over the predicted probability, and a histogram of the probabilities.

    Args:
        diagrams: by their labels in the legend.
        title: of the figure.
    """
    figure = new_figure(WIDTH * 1.1)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle=":")
    for index, (name, diagram) in enumerate(diagrams.items()):
        there = diagram.count > 0
        top.plot(diagram.confidence[there], diagram.accuracy[there], "o-", color=f"C{index}",
                 markersize=4, label=name)  # fmt: skip
        bottom.stairs(diagram.count, diagram.edges, color=f"C{index}", linewidth=1.2)
    top.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that came true", title=title)
    figure.legend(loc="outside lower center")
    bottom.set(xlabel="probability given", ylabel="number", yscale="symlog", ylim=(0, None))
    return figure


def reliability_report(evaluated: EvaluatedSplit) -> Section:
    """Section with the diagram of the model as trained and, where fitted, after calibration."""
    tuning = evaluated.tuning
    tables = {"as trained": evaluated.table}
    text = "Of predictions with the probability 0.8, four in five should come true."
    if tuning.refused:
        text += " A calibration was fitted on val and refused, for the reason at the head."
    elif not tuning.calibrates:
        text += " No temperature was fitted."
    else:
        biases = " and biases" if tuning.biases else ""
        tables[f"with the temperature {tuning.temperature:.3g}{biases}"] = evaluated.calibrated
        text += f" The calibration (temperature{biases}) was fitted on val alone."
        if evaluated.parts is not None:
            text += " Here each part of val is calibrated by what was fitted on the others."
    diagrams, rows = {}, []
    for name, table in tables.items():
        error = calibration_metrics(evaluated.label_mode, table)["ece"]
        diagram = reliability(evaluated.label_mode, table)
        diagrams[f"{name}: expected calibration error {error:.4f}"] = diagram
        rows += [
            (name, int(count), float(confidence), float(accuracy))
            for count, confidence, accuracy in zip(
                diagram.count, diagram.confidence, diagram.accuracy, strict=True
            )
            if count
        ]
    figure = draw_reliability(diagrams, f"{evaluated.split}: reliability")
    chart = to_chart(figure, "reliability", "Reliability diagram: share that came true")
    columns = ("probabilities", "number", "mean probability", "share that came true")
    bins = Table("reliability", "Bins", columns, rows, folded=True)
    return Section("Calibration", text, [chart, bins])
