"""Tables as CSV, which MLflow shows sortable."""

import csv
import io
from collections.abc import Sequence


def to_csv(rows: Sequence[dict[str, object]]) -> str:
    """A line a row, the columns of the first one; empty where a value is undefined."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _shown(value) for key, value in row.items()})
    return out.getvalue()


def _shown(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6f}"  # NaN differs from itself
    return value
