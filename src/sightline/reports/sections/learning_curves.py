"""Learning curves: losses, metrics and the learning rate of each epoch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sightline.errors import UserError
from sightline.reports.canvas import new_figure, styled, to_chart
from sightline.reports.parts import Section, Table
from sightline.reports.section_inputs import Point

MAX_OTHERS = 6  # further val metrics, drawn together
HEIGHT = 3.0  # of a panel, in inches


@styled
def draw_learning_curves(
    panel: str, lines: Mapping[str, Mapping[int, float]], best_epoch: int | None
) -> Figure:
    """One panel over epochs.

    Args:
        panel: what its axis shows.
        lines: values by epoch, from 0, of each line.
        best_epoch: epoch of the best checkpoint, from 0; marked by a dashed line.
    """
    figure = new_figure(HEIGHT)
    ax = figure.subplots()
    for name, points in lines.items():
        epochs = [epoch + 1 for epoch in sorted(points)]
        marker = "o" if len(epochs) < 3 else ""
        ax.plot(epochs, [points[e - 1] for e in epochs], marker=marker, markersize=3,
                label=name, linewidth=1.3)  # fmt: skip
    if best_epoch is not None:
        ax.axvline(best_epoch + 1, color="0.6", linewidth=0.8, linestyle="--")
    ax.set(ylabel=panel, xlabel="epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(lines) > 1:
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def _by_panel(history: Iterable[Point]) -> dict[str, dict[str, dict[int, float]]]:
    """Values by panel, line and epoch."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for key, epoch, value in history:
        values[key][epoch] = value
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for name in ("loss", "accuracy"):
        lines = {s: values[f"{s}/{name}"] for s in ("train", "val") if f"{s}/{name}" in values}
        if lines:
            panels[name] = lines
    shown = {"val/loss", "val/accuracy"}
    macro = [key for key in values if key.startswith("val/") and key not in shown]
    others = {key.removeprefix("val/"): values[key] for key in macro[:MAX_OTHERS]}
    if others:
        panels["val metrics"] = others
    if "train/lr" in values:
        panels["learning rate"] = {"train/lr": values["train/lr"]}
    return panels


def learning_curves_report(history: list[Point], best_epoch: int | None) -> Section:
    """Section with the curves and a table of every epoch.

    Args:
        history: every metric that was logged for an epoch.
        best_epoch: epoch of the best checkpoint, from 0; None where it is not known.

    Raises:
        UserError: the history is empty.
    """
    if not history:
        raise UserError("no epochs were logged.")
    keys = list(dict.fromkeys(key for key, _, _ in history))
    rows: dict[int, dict[str, float]] = defaultdict(dict)
    for key, epoch, value in history:
        rows[epoch][key] = value
    table = Table(
        "epochs",
        "Every epoch, default rule",
        ["epoch", *keys],
        [[epoch + 1, *(rows[epoch].get(key) for key in keys)] for epoch in sorted(rows)],
        folded=True,
    )
    charts = [
        to_chart(
            draw_learning_curves(panel, lines, best_epoch),
            f"learning_curves_{panel.replace(' ', '_')}", f"{panel} over epochs",
        )
        for panel, lines in _by_panel(history).items()
    ]  # fmt: skip
    text = (
        "Training values are of augmented images, measured during the epoch; decisions in these "
        "curves are by the default rule, since thresholds are fitted after the training."
    )
    if best_epoch is not None:
        text += f" The dashed line marks the best checkpoint: epoch {best_epoch + 1}."
    return Section("Training", text, [*charts, table])
