"""Figure of an ensemble's disagreement: its distribution over right and wrong decisions."""

import numpy as np
from matplotlib.figure import Figure

from sightline.reports.canvas import WIDTH, new_figure, styled

BINS = 30


@styled
def draw_disagreement(information: np.ndarray, wrong: np.ndarray, title: str) -> Figure:
    """Histograms of mutual information, of right decisions and of wrong ones.

    Args:
        information: of each sample, shape (N,), in nats.
        wrong: whether the decision is, shape (N,).
        title: of the figure.
    """
    figure = new_figure(WIDTH * 0.7)
    ax = figure.subplots()
    edges = np.linspace(0, max(float(information.max(initial=0)), 1e-6), BINS + 1)
    for place, (name, rows) in enumerate({"right": ~wrong, "wrong": wrong}.items()):
        if not rows.any():
            continue
        share = np.histogram(information[rows], edges)[0] / rows.sum()
        ax.stairs(share, edges, color=f"C{place}", fill=True, alpha=0.3)
        ax.stairs(share, edges, color=f"C{place}", linewidth=1.2, label=f"{name}: {rows.sum():,}")
    ax.set(xlabel="mutual information of decision and member, nats", ylabel="share of samples",
           title=title)  # fmt: skip
    ax.set_yscale("symlog", linthresh=0.01)
    ax.set_ylim(0, 1)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
