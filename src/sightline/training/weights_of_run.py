"""The checkpoint file that `model.pretrained_path` names as a run, by its id or its folder."""

import re
from pathlib import Path

from sightline.config.schema import TrainConfig
from sightline.config.validation import Node
from sightline.errors import UserError
from sightline.runs.folder import BEST, RunFolder

KEY = "pretrained_path"


def model_with_file(config: TrainConfig) -> Node:
    """The config's `model`; its pretrained_path names a file where it named a run.

    Raises:
        UserError: there is no such run, or it has no checkpoint.
    """
    given = config.model.get(KEY)
    if given is None or not names_run(str(given)):
        return config.model
    folder = RunFolder(Path(str(given)).expanduser().absolute())
    if folder.status == "FINISHED" and folder.best.is_file() and not folder.damage_of(BEST):
        return config.model | {KEY: str(folder.best)}  # whether or not its store is known here
    from sightline.tracking.mlflow.stored_run import find_checkpoint_file  # imports MLflow

    try:
        file, _ = find_checkpoint_file(str(given), config.tracking.uri)
    except UserError as error:
        raise UserError(f"model.{KEY}={given}: {error}") from error
    return config.model | {KEY: str(file)}


def names_run(given: str) -> bool:
    """Whether `model.pretrained_path` names a run, not a file of weights."""
    path = Path(given).expanduser()
    return path.is_dir() or (
        not path.exists() and re.fullmatch(r"runs:/.+|[0-9a-f]{32}", given) is not None
    )
