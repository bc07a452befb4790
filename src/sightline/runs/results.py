"""The results of a finished run, `results.json`."""

from pathlib import Path
from typing import Any

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
    if problem is None and not isinstance(results.get("metrics"), dict):
        problem = "it has no metrics"
    if problem is not None:
        raise DamagedError(path, problem, AGAIN)
    return results
