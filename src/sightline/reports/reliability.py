"""Whether probabilities mean what they say: the reliability diagram, before and after scaling."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from sightline.reports.canvas import WIDTH, new_figure, styled, to_chart
from sightline.reports.evaluated import Evaluated
from sightline.reports.parts import Section, Table

BINS = 15


def bin_reliability(confidence: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Samples in 15 equal bins of confidence.

    Args:
        confidence: shape (N,), in [0, 1].
        right: shape (N,), 1 where the event that was given that probability came about.

    Returns:
        `count`, and where there are samples the mean `confidence` and the `share` that was right.
    """
    index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # bins are (low, high]
    count = np.bincount(index, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return {
            "count": count,
            "confidence": np.bincount(index, confidence, BINS) / count,
            "share": np.bincount(index, right, BINS) / count,
        }


def calibration_error(bins: Mapping[str, np.ndarray]) -> float:
    """Expected calibration error (Naeini et al. 2015): the gap, weighted by the samples."""
    gaps = np.abs(bins["confidence"] - bins["share"])
    return float(np.nansum(gaps * bins["count"]) / max(1, bins["count"].sum()))


@styled
def draw_reliability(curves: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure:
    """Share right over confidence, and how many samples had it.

    Args:
        curves: by name what `bin_reliability` returned.
        title: of the figure.
    """
    figure = new_figure(WIDTH * 1.1)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle=":")
    for index, (name, bins) in enumerate(curves.items()):
        there = bins["count"] > 0
        top.plot(bins["confidence"][there], bins["share"][there], "o-", color=f"C{index}",
                 markersize=4, label=f"{name}: error {calibration_error(bins):.3f}")  # fmt: skip
        edges = np.linspace(0, 1, BINS + 1)
        bottom.stairs(bins["count"], edges, color=f"C{index}", linewidth=1.2)
    top.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that was right", title=title)
    figure.legend(loc="outside lower center", ncols=2)
    bottom.set(xlabel="probability given", ylabel="samples", yscale="symlog", ylim=(0, None))
    return figure


def reliability_report(evaluated: Evaluated, temperature: float) -> Section:
    """Calibration as the model is, and where a temperature was fitted, with it.

    Args:
        evaluated: probabilities and targets.
        temperature: 1 where none was fitted.
    """
    before = bin_reliability(*_events(evaluated, evaluated.table.probs))
    curves = {"as trained": before}
    text = "A sample that was given the probability 0.8 should be right four times in five."
    if temperature != 1:
        curves[f"temperature {temperature:.3g}"] = bin_reliability(
            *_events(evaluated, evaluated.probs)
        )
    else:
        text += " No temperature was fitted."
    figure = draw_reliability(curves, f"{evaluated.split}: reliability")
    chart = to_chart(figure, "reliability", "Reliability diagram: share right over probability")
    rows = [
        (name, int(bins["count"][i]), float(bins["confidence"][i]), float(bins["share"][i]))
        for name, bins in curves.items()
        for i in range(BINS)
        if bins["count"][i]
    ]
    columns = ("probabilities", "samples", "mean probability", "share right")
    return Section(
        "Calibration", text, [chart, Table("reliability", "Bins", columns, rows, folded=True)]
    )


def _events(evaluated: Evaluated, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What was given a probability, and whether it came about.

    Where classes exclude each other the most probable one of each sample; else each label.
    """
    if evaluated.label_mode.exclusive:
        top = probs.argmax(axis=1)
        rows = np.arange(len(probs))
        return probs[rows, top].astype(float), evaluated.truth[rows, top]
    classes = evaluated.opposed
    known = ~np.isnan(evaluated.truth[:, classes])
    return probs[:, classes][known].astype(float), evaluated.truth[:, classes][known]
