"""Parts of a report as data: charts, tables, galleries, and the sections that hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WithInterval:
    """A value with its 95 % interval, in one cell.

    Attributes:
        value: of the metric; None where it is undefined.
        low, high: ends of the interval; None where there is none.
        reason: why there is none, in words.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def interval(self) -> str | None:
        """The interval on one line, three decimals each; else the reason why there is none."""
        if self.low is None or self.high is None:
            return self.reason
        return f"{self.low:.3f}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{self.high:.3f}"


Cell = str | int | float | WithInterval | None


@dataclass(frozen=True)
class Chart:
    """A drawn figure.

    Attributes:
        name: of its file, without the suffix.
        png: the figure as PNG.
        alt: alternative text for screen readers.
        width: in CSS pixels; at this width its text is as large as the page's small text.
        shrinks: whether a narrow screen shows it smaller, instead of scrolling it.
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
        name: of its CSV file, without the suffix; None where another file holds the rows.
        caption: title above it.
        columns: names.
        rows: each as long as `columns`.
        folded: whether the page shows it only after a click.
    """

    name: str | None
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False


@dataclass(frozen=True)
class Tile:
    """One small image with its caption.

    Attributes:
        jpeg: the image; None where it could not be read.
        lines: of the caption; the first is the sample's id.
        record: the same values by column, for the gallery's CSV file.
    """

    jpeg: bytes | None
    lines: Sequence[str]
    record: Mapping[str, Cell]


@dataclass(frozen=True)
class Gallery:
    """Small images, in order.

    Attributes:
        name: of its PNG and CSV files, without the suffix.
        caption: title above it.
        tiles: may be empty.
    """

    name: str
    caption: str
    tiles: Sequence[Tile]


Part = Chart | Table | Gallery


@dataclass(frozen=True)
class Section:
    """One section of report.html.

    Attributes:
        title: heading.
        text: introduction, in plain sentences.
        parts: charts, tables and galleries, in order.
        links: to other pages, by their text.
        finding: what the page's first lines say of it, in a few words.
    """

    title: str
    text: str
    parts: Sequence[Part]
    links: Mapping[str, str] = field(default_factory=dict)
    finding: str | None = None
