"""Files of many runs, read at once: prediction tables and resolved configs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml

from sightline.config.legacy import with_current_targets
from sightline.config.stored import stored_config
from sightline.errors import UserError
from sightline.predictions import Predictions
from sightline.tracking.mlflow.queries import key_of
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.tags import RUN_FOLDER

READERS = 16  # threads; they wait for disks and networks


def read_tables(runs: Sequence[StoredRun], split: str) -> dict[str, Predictions | UserError]:
    """The predictions of each run on a split, by the run's key; an error where it has none."""

    def read(run: StoredRun) -> Predictions | UserError:
        try:
            return Predictions.read(run.file(f"predictions/{split}.parquet"))
        except UserError as error:
            return error
        except OSError as error:
            return UserError(f"The run {run.name!r} ({run.run_id}): {error}")

    with ThreadPoolExecutor(min(READERS, max(1, len(runs)))) as pool:
        return {key_of(run): table for run, table in zip(runs, pool.map(read, runs), strict=True)}


def read_configs(runs: Sequence[StoredRun]) -> dict[str, dict[str, Any] | None]:
    """The resolved config of each run, by the run's key; None where none can be read."""

    def read(run: StoredRun) -> dict[str, Any] | None:
        if run.folder is None and RUN_FOLDER not in run.tags:
            return None  # of another program: nothing is asked of the store for each
        try:
            values = yaml.safe_load(run.file("config/config.yaml").read_text(encoding="utf-8"))
            return with_current_targets(stored_config(values, run.name))
        except (UserError, OSError, ValueError, RecursionError, yaml.YAMLError):
            return None  # it ended before its config was logged, or the artifact is not sound

    with ThreadPoolExecutor(min(READERS, max(1, len(runs)))) as pool:
        return {key_of(run): found for run, found in zip(runs, pool.map(read, runs), strict=True)}
