"""The classes with the lowest F1 score, from the table of classes that a run logged."""

import csv
from pathlib import Path

from sightline.errors import DamagedError
from sightline.metrics.metric import TUNED
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.reports.parts import Table

WORST = 5  # classes
RATES = ("precision", "recall", "f1")


def worst_classes(path: Path, split: str, rule: str, most: int = WORST) -> Table | None:
    """The worst classes first; None where no class has an F1 score.

    Args:
        path: the table, a row a class.
        split: for the caption.
        rule: the run's decision rule, default or tuned.
        most: rows that are shown.

    Raises:
        DamagedError: the file is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        suffix = TUNED if rule == "tuned" else ""
        shown = ("support", *(name + suffix for name in RATES))
        scored = [row for row in rows if row.get(shown[-1])]
        scored.sort(key=lambda row: float(row[shown[-1]]))
        cells = [[row["class"], *(_number(row.get(name, "")) for name in shown)]
                 for row in scored[:most]]  # fmt: skip
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DamagedError(path, f"it is no table of classes ({error!r})") from error
    if not scored:
        return None
    name = "Classes" if len(rows) <= most else f"The {most} worst of {len(rows):,} classes"
    columns = ["class", "support", *RATES]
    return Table(None, f"{name}, {split}, {RULE_TITLES[rule]}", columns, cells)


def _number(text: str) -> str:
    return f"{float(text):.3f}".removesuffix(".000") if text else ""
