"""Temperatures and thresholds of many stored runs."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sightline.errors import UserError
from sightline.metrics.tuning import Tuning
from sightline.tracking.mlflow.queries import key_of
from sightline.tracking.mlflow.stored_run import StoredRun

READERS = 16  # threads; they wait for disks and networks
TUNING = "tuning.json"


def read_tunings(runs: Sequence[StoredRun]) -> dict[str, Tuning | UserError]:
    """The temperature and thresholds of each run, by the run's key; an error where it has none."""

    def read(run: StoredRun) -> Tuning | UserError:
        try:
            record = json.loads(run.file(TUNING).read_text(encoding="utf-8"))
            thresholds = list((record.get("thresholds") or {}).values())
            return Tuning.from_dict(record | {"thresholds": thresholds or None})
        except UserError as error:
            return error
        except (OSError, ValueError, AttributeError, TypeError) as error:
            return UserError(f"The run {run.name!r} ({run.run_id}): {TUNING} is damaged: {error}")

    with ThreadPoolExecutor(min(READERS, max(1, len(runs)))) as pool:
        return {key_of(run): each for run, each in zip(runs, pool.map(read, runs), strict=True)}
