"""Tables of metrics: splits side by side, with 95 % intervals."""

from collections.abc import Mapping, Sequence

from sightline.reports.parts import Cell, Table

Row = Mapping[str, object]


def metric_tables(
    rows: Mapping[str, Sequence[Row]], headlines: Sequence[str], rule: str = "default rule"
) -> list[Table]:
    """A table of the headline metrics, and a folded one of all others.

    Args:
        rows: by split, rows with `metric`, `value`, and `low` and `high` of an interval, or
            `withheld` with the reason why there is none.
        headlines: names of metrics, in order.
        rule: that the decisions of the headline metrics are by.
    """
    cells = {
        split: {str(row["metric"]): (_number(row["value"]), _interval(row)) for row in each}
        for split, each in rows.items()
    }
    names = list(dict.fromkeys(name for named in cells.values() for name in named))
    first = [name for name in headlines if name in names]
    others = [name for name in names if name not in first]
    columns = ["metric", *(f for split in cells for f in (split, f"{split} 95 %"))]

    def lines(wanted: Sequence[str]) -> list[list[Cell]]:
        return [
            [name, *(cell for named in cells.values() for cell in named.get(name, (None, None)))]
            for name in wanted
        ]

    tables = [Table(None, f"Headline metrics, {rule}", columns, lines(first))]
    if others:
        caption = (
            "Further metrics (_tuned: tuned thresholds; _calibrated: after calibration; without "
            "either: default rule, as trained)"
        )
        tables.append(Table(None, caption, columns, lines(others), folded=True))
    return tables


def _interval(row: Row) -> str | None:
    low, high = _number(row.get("low")), _number(row.get("high"))
    if low is None or high is None:
        reason = row.get("withheld")
        return None if reason is None else str(reason)
    return interval_text(low, high)


def interval_text(low: float, high: float) -> str:
    """An interval on one line, three decimals each."""
    return f"{low:.3f}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high:.3f}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
