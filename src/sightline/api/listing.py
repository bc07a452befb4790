"""search_runs: the runs of an experiment as a table of pandas."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from sightline.errors import UserError, did_you_mean, first_line
from sightline.tracking.mlflow.queries import default_experiment, is_model, runs_of_experiment


def search_runs(
    where: str | None = None, experiment: str | None = None, uri: str | None = None
) -> pd.DataFrame:
    """The trainings of an experiment, and what was imported, the newest first, a row each.

    Args:
        where: rows to keep, as `pandas.DataFrame.query` reads it, with names in backticks:
            "`val_best/accuracy` > 0.9 and model == 'timm'".
        experiment: by name; None: the project's.
        uri: of the tracking store; None: MLFLOW_TRACKING_URI, or the project's own.

    Returns:
        Columns id, name, status, folder, then a column for each parameter (text, as logged) and
        for each metric (its last value), under their own names.

    Raises:
        UserError: there is no such experiment, or `where` cannot be read.
    """
    found = runs_of_experiment(experiment or default_experiment(), uri)
    rows = [
        {"id": run.run_id, "name": run.name, "status": run.status,
         "folder": str(run.folder) if run.folder else None, **run.params, **run.metrics}
        for run in found if is_model(run)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=_columns(rows))
    return table if where is None else _kept(table, where)


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    first = ["id", "name", "status", "folder"]
    return list(dict.fromkeys([*first, *(name for row in rows for name in row)]))


def _kept(table: pd.DataFrame, where: str) -> pd.DataFrame:
    try:
        return table.query(where).reset_index(drop=True)
    except pd.errors.UndefinedVariableError as error:
        quoted = [each for each in re.findall("`([^`]*)`", where) if each not in table.columns]
        name = (quoted or re.findall("'([^']*)'", str(error)))[0]  # pandas rewrites quoted names
        raise UserError(
            f"where={where!r}: there is no column {name}.{did_you_mean(name, table.columns)}"
        ) from error
    except (SyntaxError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UserError(f"where={where!r}: {first_line(error)}") from error
