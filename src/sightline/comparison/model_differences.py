"""Differences of two models: images that one decides rightly and the other wrongly."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sightline.data.reading.decode import UnreadableImage
from sightline.errors import counted
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Cell, Gallery, Part, Section, Table, Tile
from sightline.reports.section_inputs import ReadImage
from sightline.reports.thumbnails import thumbnail

SHOWN = 12  # images in each gallery
TITLE = "Where two models differ"


@dataclass(frozen=True)
class Model:
    """One of the two models.

    Attributes:
        letter: A or B.
        name: of its run.
        evaluated: the split under its own decision rule; samples in the same order as the other's.
    """

    letter: str
    name: str
    evaluated: EvaluatedSplit

    def decided(self, row: int) -> str:
        """Its decision for a sample, with the probability of a class that excludes others."""
        each = self.evaluated
        words = each.as_text(each.decisions[row])
        if each.decisions.ndim > 1:
            return words
        return f"{words} ({each.probs[row, each.decisions[row]]:.2f})"


def differences_section(first: Model, second: Model, read_image: ReadImage, note: str) -> Section:
    """Section with two galleries, the differing cells of the confusion matrices, and all samples.

    Args:
        first, second: of the same samples; A and B.
        read_image: reads an image by its id.
        note: why images are missing; empty where they can be read.
    """
    parts: list[Part] = []
    rows: list[list[Cell]] = []
    for right, wrong in ((first, second), (second, first)):
        found = _right_and_wrong(right, wrong)
        rows += [_record(right, row, first, second) for row in found]
        first_ones = f", the first {SHOWN}" if len(found) > SHOWN else ""
        caption = (
            f"{right.letter} is right and {wrong.letter} wrong: {counted(len(found), 'sample')}"
            f"{first_ones}, where {wrong.letter} was surest first"
        )
        tiles = [_tile(row, first, second, read_image) for row in found[:SHOWN]]
        if tiles:
            parts.append(Gallery(f"{right.letter}_right".lower(), caption, tiles))
    total = len(first.evaluated.table)
    text = (
        f"A is {first.name}; B is {second.name}. Of {counted(total, 'sample')} of "
        f"{first.evaluated.split} they differ in being right on {len(rows):,}. Each decides by its "
        f"own rule. A difference on single images is no evidence that one model is better: the "
        f"tests above are. {note}"
    ).rstrip()
    confusion = _confusion_table(first, second)
    tables = [confusion] if confusion.rows else []
    columns = ("id", "right", "target", "A decided", "B decided")
    every = Table("model_differences", "All of them", columns, rows, folded=True)
    return Section(TITLE, text, [*parts, *tables, *([every] if rows else [])])


def _right_and_wrong(right: Model, wrong: Model) -> list[int]:
    """Rows that one decides rightly and the other wrongly, where this one is surest first."""
    rows = np.flatnonzero(~right.evaluated.wrong & wrong.evaluated.wrong)
    surest = wrong.evaluated.gaps[rows].max(axis=1)
    return [int(row) for row in rows[np.argsort(-surest, kind="stable")]]


def _record(right: Model, row: int, first: Model, second: Model) -> list[Cell]:
    each = first.evaluated
    target = each.as_text(each.table.targets[row])
    sample = str(each.table.ids[row])
    return [sample, right.letter, target, first.decided(row), second.decided(row)]


def _tile(row: int, first: Model, second: Model, read_image: ReadImage) -> Tile:
    sample, _, target, a_decided, b_decided = _record(first, row, first, second)
    lines = [str(sample), f"target: {target}", f"A: {a_decided}", f"B: {b_decided}"]
    record = {"id": sample, "target": target, "a": a_decided, "b": b_decided}
    try:
        return Tile(thumbnail(read_image(str(sample))), lines, record)
    except UnreadableImage:
        return Tile(None, lines, record)


def _confusion_table(first: Model, second: Model) -> Table:
    """Cells of the confusion matrices with different counts, the largest differences first."""
    found = [cell for cell in _cells(first.evaluated, second.evaluated) if cell[1] != cell[2]]
    found.sort(key=lambda cell: -abs(cell[1] - cell[2]))
    several = len({names[0] for names, _, _ in found}) > 1
    rows: list[list[Cell]] = [
        [*(names if several else names[1:]), ours, theirs, ours - theirs]
        for names, ours, theirs in found
    ]
    columns = ["matrix", "target", "decided", "A", "B", "A − B"]
    columns = columns if several else columns[1:]
    caption = "Confusion matrices: samples of each cell that differs"
    return Table("confusion_differences", caption, columns, rows)


def _cells(
    first: EvaluatedSplit, second: EvaluatedSplit
) -> Iterator[tuple[tuple[str, str, str], int, int]]:
    for ours, theirs in zip(first.matrices, second.matrices, strict=True):
        for i, target in enumerate(ours.rows):
            for j, decided in enumerate(ours.columns):
                counts = int(ours.counts[i, j]), int(theirs.counts[i, j])
                yield (ours.title, target, decided), *counts
