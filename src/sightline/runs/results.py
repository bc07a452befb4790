"""The results of a finished run, `results.json`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sightline.errors import DamagedError
from sightline.io.sealed import read_sealed

AGAIN = "The best checkpoint is evaluated again when the run is resumed."


def read_results(path: Path, problem: str | None) -> dict[str, Any]:
    """What a finished run reached.

    Args:
        path: of the file.
        problem: its damage, where it is not as it was logged.

    Raises:
        DamagedError: it is missing, or no record of results.
    """
    try:
        results = read_sealed(path) if problem is None else {}
    except FileNotFoundError:
        results, problem = {}, "it is missing"
    except DamagedError as error:
        results, problem = {}, error.problem
    if problem is None:
        problem = _wrong_value(results)
    if problem is not None:
        raise DamagedError(path, problem, AGAIN)
    return results


class _Values(BaseModel):
    """The part of the results that is shown: by split, and then by the metric's name."""

    metrics: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, tuple[float, float] | None]] = {}
    withheld: dict[str, dict[str, str | None]] = {}


def _wrong_value(results: dict[str, Any]) -> str | None:
    try:
        _Values.model_validate(results)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None
