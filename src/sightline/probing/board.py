"""The board of a probing: a row a probe with its quality, size and speed, as table and files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from sightline.io.csv_files import to_csv
from sightline.reports.canvas import to_png
from sightline.reports.figures.backbones import BackbonePoint, draw_backbones
from sightline.runs.folder import RunFolder
from sightline.tracking.tracker import Tracker


@dataclass(frozen=True)
class Row:
    """One probe of one backbone.

    Attributes:
        model, pooling, probe, chosen: what it is.
        split, metric: that it is ranked by.
        value: of the metric.
        interval: of the value; None where there is none.
        maximise: whether a larger value is better.
        parameters: of the backbone.
        images_per_s: of its forward pass.
        few_shot: mean and half width of the interval over draws, by shots.
        folder: of the run.
    """

    model: str
    pooling: str
    probe: str
    chosen: str
    split: str
    metric: str
    value: float
    interval: tuple[float, float] | None
    maximise: bool
    parameters: int
    images_per_s: float
    few_shot: Mapping[int, tuple[float, float | None]]
    folder: str

    @classmethod
    def of(cls, results: Mapping[str, Any], folder: str) -> "Row":
        """The row of a run's `results.json`."""
        about, metric = results["probe"], results["probe"]["metric"]
        split = list(results["metrics"])[-1]
        ends = results["intervals"][split].get(metric)
        return cls(
            about["model"], about["pooling"], about["name"], about["chosen"], split, metric,
            results["metrics"][split][metric], None if ends is None else (ends[0], ends[1]),
            about["higher_is_better"], about["parameters"], about["images_per_s"],
            {each["shots"]: (each["mean"], each["half_width"]) for each in about["few_shot"]},
            folder,
        )  # fmt: skip

    @property
    def title(self) -> str:
        """The backbone, with the pooling where it is not the head's."""
        return self.model if self.pooling == "head" else f"{self.model} ({self.pooling})"

    def cells(self) -> dict[str, object]:
        """The row of a CSV file."""
        low, high = self.interval or (None, None)
        few: dict[str, object] = {}
        for shots, (mean, half) in self.few_shot.items():
            few |= {f"{shots}_shot": mean, f"{shots}_shot_half_width": half}
        return {
            "model": self.model, "pooling": self.pooling, "probe": self.probe,
            "chosen": self.chosen, f"{self.split}_{self.metric}": self.value, "low": low,
            "high": high, "parameters": self.parameters, "images_per_s": self.images_per_s,
            **few, "run": self.folder,
        }  # fmt: skip


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows, the best first."""
    return sorted(rows, key=lambda row: -row.value if row.maximise else row.value)


def board_table(rows: Sequence[Row]) -> Table:
    """The rows for the terminal, the best first."""
    first = rows[0]
    table = Table(box=box.SIMPLE_HEAD)
    shots = list(first.few_shot)
    table.add_column("model", overflow="fold")
    table.add_column("probe")
    for title in (f"{first.split} {first.metric} [95 %]", *(f"{each}-shot" for each in shots),
                  "params", "images/s"):  # fmt: skip
        table.add_column(title, justify="right", no_wrap=True)
    for row in ranked(rows):
        ends = row.interval
        words = f"{row.value:.4f}" + ("" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]")
        few = [f"{row.few_shot[each][0]:.3f}" if each in row.few_shot else "" for each in shots]
        table.add_row(row.title, row.probe, words, *few,
                      f"{row.parameters / 1e6:.1f} M", f"{row.images_per_s:,.0f}")  # fmt: skip
    return table


def rows_in(folder: Path, like: Row) -> list[Row]:
    """The rows of all finished probes in a folder, measured as one of them is."""
    found = []
    for path in sorted(folder.iterdir()):
        results = RunFolder(path).results() if path.is_dir() else None
        if results is not None and "probe" in results:
            found.append(Row.of(results, str(path)))
    return [row for row in found if (row.split, row.metric) == (like.split, like.metric)]


def log_board(tracker: Tracker, rows: Sequence[Row]) -> None:
    """Log the rows as `backbones.csv` and the figure of them."""
    cells = [row.cells() for row in ranked(rows)]
    names = dict.fromkeys(name for each in cells for name in each)
    tracker.log_data(to_csv([{n: each.get(n) for n in names} for each in cells], decimals=None),
                     "backbones.csv")  # fmt: skip
    points = [
        BackbonePoint(
            row.title, row.probe, row.value, *(row.interval or (row.value, row.value)),
            row.parameters, row.images_per_s,
        )
        for row in rows
    ]  # fmt: skip
    figure = draw_backbones(points, f"{rows[0].split} {rows[0].metric}", rows[0].maximise)
    tracker.log_png(to_png(figure), "backbones.png")
