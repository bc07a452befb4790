"""The parts of a report on prediction sets: how often they hold the truth, and their sizes."""

from collections.abc import Iterator

import numpy as np

from sightline.metrics.conformal import CLASS
from sightline.metrics.fitted_table import FittedTable
from sightline.metrics.shares import share_interval
from sightline.metrics.units import Units
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Cell, Table, WithInterval


def set_tables(evaluated: EvaluatedSplit) -> list[Table]:
    """Coverage and size of what the coverage is about and of each class, and by size of the set.

    Args:
        evaluated: with fitted sets.
    """
    fitted = evaluated.tuned.fitted
    assert fitted.sets is not None
    known, sizes = fitted.answers[1].numpy(), fitted.sets.sum(axis=-1)
    rows = [
        _row(name, fitted, rows & known, sizes) for name, rows in _parts(evaluated, known)
    ]  # fmt: skip
    columns = ("of", "sets", "hold the truth", "mean size")
    by_size = [
        _row(str(size), fitted, (sizes == size) & known, sizes)
        for size in np.unique(sizes[known]).tolist()
    ]
    return [
        Table("set_coverage", "Coverage of the sets", columns, rows),
        Table("set_sizes", "By the number of options in a set", columns, by_size, folded=True),
    ]


def _parts(evaluated: EvaluatedSplit, known: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Names of parts, and their answers: (N, A), bool."""
    sets, table = evaluated.tuning.sets, evaluated.table
    yield "all", np.ones(known.shape, bool)
    if sets is not None and sets.by_column and sets.by in table.metadata:
        column = table.metadata[sets.by].astype(str)
        for value in np.unique(column).tolist():
            yield f"{sets.by}: {value}", np.broadcast_to((column == value)[:, None], known.shape)
    for place, name in enumerate(evaluated.class_names):
        if table.targets.ndim == 1:
            yield name, (table.targets == place)[:, None]
            continue
        own = np.arange(known.shape[1]) == place
        yield name, np.broadcast_to(own, known.shape)
        if sets is not None and sets.by == CLASS:
            yield f"with {name}", own & (table.targets == 1)
            yield f"without {name}", own & (table.targets == 0)


def _row(name: str, fitted: FittedTable, rows: np.ndarray, sizes: np.ndarray) -> list[Cell]:
    """Number of sets, the share that hold the truth with its interval, and their mean size."""
    count = int(rows.sum())
    if not count:
        return [name, 0, None, None]
    hits, trials = (fitted.covered & rows).sum(axis=1), rows.sum(axis=1)
    found = share_interval(hits, trials, Units.of(fitted.predictions))
    ends = (found.low, found.high) if found else (None, None)
    share = WithInterval(float(hits.sum() / count), *ends)
    return [name, count, share, float(sizes[rows].mean())]
