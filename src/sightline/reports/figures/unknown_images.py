"""Figures of unknown images: distributions of scores, and ROC curves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from sightline.reports.canvas import WIDTH, new_figure, styled

BINS = 40
SPAN = (0.5, 99.5)  # percentiles between which scores are drawn; the bins at the ends hold the rest
Scores = tuple[np.ndarray, np.ndarray]  # of known and of unknown images


@styled
def draw_scores(
    scores: Mapping[str, Scores], kept: Mapping[str, float], rule: tuple[str, float] | None,
    title: str,
) -> Figure:  # fmt: skip
    """Histograms of known and unknown images, a panel for each score.

    Args:
        scores: by name, higher is more unlike the training images.
        kept: of each, the threshold that keeps 95 % of the known images.
        rule: a score and the threshold that the model abstains over; None without one.
        title: of the figure.
    """
    figure = new_figure(1.5 * len(scores) + 0.9)
    panels = figure.subplots(len(scores), 1, squeeze=False)[:, 0]
    for ax, (name, (known, unknown)) in zip(panels, scores.items(), strict=True):
        low, high = np.percentile(np.concatenate([known, unknown]), SPAN)
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        for place, (label, values) in enumerate({"known": known, "unknown": unknown}.items()):
            share = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
            ax.stairs(share, edges, color=f"C{place}", fill=True, alpha=0.35)
            ax.stairs(share, edges, color=f"C{place}", linewidth=1.2, label=label)
        ax.axvline(kept[name], color="0.3", linestyle="--", linewidth=1,
                   label="keeps 95 % of the known")  # fmt: skip
        if rule is not None and rule[0] == name:
            ax.axvline(rule[1], color="C3", linewidth=1.2, label="the model abstains over this")
        ax.set(xlabel=name, ylabel="share", ylim=(0, None))
    panels[0].set_title(title)
    entries = {
        label: handle for ax in panels
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }  # fmt: skip
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2)
    return figure


@styled
def draw_roc(scores: Mapping[str, tuple[Scores, float]], title: str) -> Figure:
    """ROC curves, the unknown images being the positives.

    Args:
        scores: by name, with the area under each curve.
        title: of the figure.
    """
    figure = new_figure(WIDTH * 0.8 + 0.2 * len(scores))
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle=":")
    for place, (name, ((known, unknown), area)) in enumerate(scores.items()):
        positive = np.arange(len(known) + len(unknown)) >= len(known)
        alarms, found, _ = roc_curve(positive, np.concatenate([known, unknown]))
        ax.plot(alarms, found, color=f"C{place}", linewidth=1.3, label=f"{name}: {area:.4f}")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title=title, aspect="equal",
           xlabel="known images taken for unknown",
           ylabel="unknown images found")  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2, title="area under the curve")
    return figure
