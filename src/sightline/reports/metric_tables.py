"""Tables of metrics: splits side by side, with 95 % intervals."""

from collections.abc import Mapping, Sequence

from sightline.reports.parts import Cell, Table, WithInterval

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
        split: {str(row["metric"]): cell_of(row, "value", "low", "high") for row in each}
        for split, each in rows.items()
    }
    names = list(dict.fromkeys(name for named in cells.values() for name in named))
    first = [name for name in headlines if name in names]
    others = [name for name in names if name not in first]
    columns = ["metric", *cells]

    def lines(wanted: Sequence[str]) -> list[list[Cell]]:
        return [[name, *(named.get(name) for named in cells.values())] for name in wanted]

    tables = [Table(None, f"Headline metrics, {rule}", columns, lines(first))]
    if others:
        caption = (
            "Further metrics (_tuned: tuned thresholds; _calibrated: after calibration; without "
            "either: default rule, as trained)"
        )
        tables.append(Table(None, caption, columns, lines(others), folded=True))
    return tables


def cell_of(row: Row, value: str, low: str, high: str) -> WithInterval | None:
    """A value with its interval in one cell; None where the row has no such value.

    Args:
        row: by column; `withheld` says why there is no interval.
        value, low, high: names of the columns.
    """
    number, ends = _number(row.get(value)), (_number(row.get(low)), _number(row.get(high)))
    if number is None:
        return None
    reason = row.get("withheld")
    return WithInterval(number, *ends, None if reason is None else str(reason))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
