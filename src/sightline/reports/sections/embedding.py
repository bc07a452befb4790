"""Map of the penultimate features in two dimensions, by PCA or t-SNE."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from sightline.reports.canvas import WIDTH, new_figure, short, styled, to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Section, Table
from sightline.reports.section_inputs import Embed

Method = Literal["pca", "tsne"]
MAX_COLOURS = 10
MAX_NAMED = 30
PCA_FIRST = 50  # dimensions of t-SNE's input, as in the paper
ITERATIONS = 500  # enough for a thousand samples


def embed_2d(features: np.ndarray, method: Method, seed: int) -> np.ndarray:
    """Coordinates of each sample, shape (N, 2).

    Args:
        features: shape (N, D), N >= 2.
        method: pca, or tsne (van der Maaten and Hinton 2008), initialised by PCA.
        seed: of the PCA's solver and of t-SNE.
    """
    features = features.astype(np.float64)
    wanted = 2 if method == "pca" else PCA_FIRST
    reduced = PCA(min(wanted, *features.shape), random_state=seed).fit_transform(features)
    if reduced.shape[1] == 1:
        reduced = np.pad(reduced, ((0, 0), (0, 1)))
    if method == "pca" or len(reduced) < 5:
        return reduced[:, :2]
    perplexity = min(30.0, (len(reduced) - 1) / 3)
    start = reduced[:, :2] / max(np.std(reduced[:, 0]), 1e-12) * 1e-4
    tsne = TSNE(perplexity=perplexity, init=start, max_iter=ITERATIONS,
                random_state=seed, n_jobs=1)  # fmt: skip
    places: np.ndarray = tsne.fit_transform(reduced)
    return places


@styled
def draw_embedding(places: np.ndarray, evaluated: EvaluatedSplit, title: str) -> Figure:
    """Scatter plot: up to 10 classes in colours, errors as crosses.

    With more classes, or several labels a sample, colours tell right from wrong, and the names of
    the most frequent classes stand at the medians of their samples.

    Args:
        places: shape (N, 2).
        evaluated: the N samples.
        title: of the figure.
    """
    one_each = (np.nansum(evaluated.truth, axis=1) == 1).all()
    names = evaluated.class_names
    wrong = evaluated.wrong
    figure = new_figure(WIDTH + 0.4)
    ax = figure.subplots()
    if one_each and len(names) <= MAX_COLOURS:
        target = np.nanargmax(evaluated.truth, axis=1)
        for c, name in enumerate(names):
            for mask, marker in ((~wrong, "o"), (wrong, "x")):
                x, y = places[(target == c) & mask].T
                label = short(name) if marker == "o" else None
                ax.scatter(x, y, s=12 if marker == "o" else 26, c=f"C{c}", marker=marker,
                           linewidths=0 if marker == "o" else 1.2, label=label)  # fmt: skip
    else:
        x, y = places.T
        ax.scatter(x[~wrong], y[~wrong], s=8, c="0.75", linewidths=0, label="right")
        ax.scatter(x[wrong], y[wrong], s=22, c="C3", marker="x", linewidths=1, label="wrong")
        _name_classes(ax, places, evaluated)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, markerscale=1.5)
    return figure


def _name_classes(ax: Axes, places: np.ndarray, evaluated: EvaluatedSplit) -> None:
    """Write the names of the 30 most frequent classes, each at the median of its samples."""
    there = evaluated.truth == 1
    frequent = np.argsort(-there.sum(axis=0), kind="stable")[:MAX_NAMED]
    for c in frequent:
        if there[:, c].any():
            x, y = np.median(places[there[:, c]], axis=0)
            ax.text(x, y, short(evaluated.class_names[c], 12), fontsize=6.5, ha="center")


def embedding_report(
    evaluated: EvaluatedSplit, embed: Embed, method: Method, max_samples: int, seed: int
) -> Section:
    """Section with the map and the coordinates.

    Args:
        evaluated: the split.
        embed: computes penultimate features.
        method: pca or tsne.
        max_samples: a larger split is sampled at random to this size.
        seed: of the sample, and of the method.
    """
    shown = evaluated.sample(max_samples, seed)
    places = embed_2d(embed(shown.table.ids.tolist()), method, seed)
    name = {"pca": "principal components", "tsne": "t-SNE"}[method]
    of = f"{name}, {evaluated.rule}"
    figure = draw_embedding(places, shown, f"{evaluated.split}: {of}")
    alt = f"Map of {len(shown.table):,} samples by their penultimate features, {of}"
    rows = [
        (str(key), evaluated.as_text(target), float(x), float(y))
        for key, target, (x, y) in zip(shown.table.ids, shown.table.targets, places, strict=True)
    ]
    table = Table("embedding", "Coordinates", ("id", "target", "x", "y"), rows, folded=True)
    text = (
        f"{len(shown.table):,} of {len(evaluated.table):,} samples by the features before the "
        f"last layer, in two dimensions ({name}); crosses are errors of {evaluated.decided_by}. "
    )
    if method == "tsne":
        text += "Neighbourhoods are meaningful, distances and sizes of clusters are not."
    return Section("Map of the features", text, [to_chart(figure, "embedding", alt), table])
