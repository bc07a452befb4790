"""The list of runs as a terminal shows it: chosen, sorted, and as many columns as fit."""

import fnmatch
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from sightline.io.printable import on_one_line
from sightline.runs.listing import RunStatus

Order = Literal["age", "name", "status", "val", "test"]
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
# Columns that a narrow terminal does without, the first one first; names are shortened in between.
SPARED = ("FOLDER", "DATA", "EPOCH", "RUN", "TEST", "ID")
SHORTEST_NAME = 24  # characters
Column = tuple[str, Callable[[RunStatus], str]]


def chosen(
    runs: Sequence[RunStatus],
    status: Sequence[str],
    data: str | None,
    name: str | None,
    sort: Order,
) -> list[RunStatus]:
    """The runs that fit, sorted; those without a value last.

    Args:
        runs: of a folder.
        status: some of their statuses, in any case; empty: all.
        data: name of their data, with * for any characters; None: all.
        name: of the run, likewise.
        sort: age is the youngest first; val and test are the least first.
    """
    wanted = {each.upper() for each in status}
    found = [
        run for run in runs
        if (not wanted or run.status in wanted)
        and (data is None or fnmatch.fnmatch(run.data, data))
        and (name is None or fnmatch.fnmatch(run.name, name))
    ]  # fmt: skip
    assert sort in get_args(Order)

    def key(run: RunStatus) -> tuple[bool, float | str]:
        value: float | str = run.silent_s if sort == "age" else getattr(run, sort)
        absent = isinstance(value, float) and math.isnan(value)
        return absent, 0.0 if absent else value

    return sorted(found, key=key)


def print_runs(runs: Sequence[RunStatus], root: Path) -> None:
    """Print a table, one line a run; columns in which all runs agree stand once above it.

    A terminal gets the columns that fit, a pipe all of them; no line is wrapped.
    """
    columns: list[Column] = [
        ("STATUS", _status), ("ID", lambda run: run.run_id[:8]), ("AGE", _age),
        ("EPOCH", lambda run: f"{run.epochs}/{run.max_epochs}" if run.max_epochs else ""),
        ("VAL", lambda run: _value(run, run.val)), ("TEST", lambda run: _value(run, run.test)),
        ("DATA", lambda run: run.data), ("RUN", lambda run: run.name),
        ("FOLDER", lambda run: str(run.folder.path.relative_to(root))),
        ("", lambda run: run.note if run.end is None else run.end[1]),
    ]  # fmt: skip
    cells = {name: [on_one_line(read(run)) for run in runs] for name, read in columns}
    shared = {name: values[0] for name, values in cells.items()
              if name == "DATA" and len(set(values)) == 1 and len(runs) > 1}  # fmt: skip
    cells = {name: values for name, values in cells.items()
             if name not in shared and any(values)}  # fmt: skip
    if sys.stdout.isatty():
        fit(cells, shutil.get_terminal_size().columns)
    if any(shared.values()):
        print("  ".join(f"{name.lower()}: {value}" for name, value in shared.items()))
    widths = [_wide(name, values) for name, values in cells.items()]
    for row in zip(*([name, *values] for name, values in cells.items()), strict=True):
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def fit(cells: dict[str, list[str]], width: int) -> None:
    """Leave out columns, and ends of names, until a line has at most `width` characters."""
    for name in SPARED:
        over = sum(_wide(title, values) + 2 for title, values in cells.items()) - 2 - width
        if over <= 0:
            return
        if name != "RUN":
            cells.pop(name, None)
        elif name in cells:
            room = max(SHORTEST_NAME, _wide(name, cells[name]) - over)
            cells[name] = [v if len(v) <= room else f"{v[: room - 1]}…" for v in cells[name]]


def _wide(name: str, values: Sequence[str]) -> int:
    return max(map(len, [name, *values]))


def _status(run: RunStatus) -> str:
    return run.status if run.end is None else f"{run.status}, but gone"


def _age(run: RunStatus) -> str:
    """Since its last sign of life, in its greatest unit."""
    if run.status in ("WAITING", "UNREADABLE"):
        return ""
    seconds, unit = next((each for each in UNITS if run.silent_s >= each[0]), UNITS[-1])
    return f"{run.silent_s / seconds:.0f} {unit}"


def _value(run: RunStatus, value: float) -> str:
    return "" if math.isnan(value) else f"{run.metric} {value:.4f}"
