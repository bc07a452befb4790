"""What a report is made of: charts, tables and galleries, as data that a page or a folder shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Chart:
    """A figure, drawn.

    Attributes:
        name: of its file, without the suffix.
        png: the drawing.
        alt: what it shows, for those who cannot see it.
        width: in CSS pixels, at which its text has the size of the page's small print.
        shrinks: whether a narrow screen may show it smaller, instead of a part of it.
    """

    name: str
    png: bytes
    alt: str
    width: int
    shrinks: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under named columns; a float is shown with four digits, None as an empty cell.

    Attributes:
        name: of its file, without the suffix; None where another file has the rows already.
        caption: above it.
        columns: their names.
        rows: each as long as `columns`.
        folded: whether a page shows it on request only.
    """

    name: str | None
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False


@dataclass(frozen=True)
class Tile:
    """One small image and what is said of it.

    Attributes:
        jpeg: the image; None where it could not be read.
        lines: below it; the first is its name.
        record: the same as columns of a table.
    """

    jpeg: bytes | None
    lines: Sequence[str]
    record: Mapping[str, Cell]


@dataclass(frozen=True)
class Gallery:
    """Small images, in order.

    Attributes:
        name: of its files, without the suffix.
        caption: above it.
        tiles: may be empty.
    """

    name: str
    caption: str
    tiles: Sequence[Tile]


Part = Chart | Table | Gallery


@dataclass(frozen=True)
class Section:
    """One report.

    Attributes:
        title: its heading.
        text: what to know before reading it, in plain sentences.
        parts: what it shows, in order.
    """

    title: str
    text: str
    parts: Sequence[Part]
