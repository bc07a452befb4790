"""Checks of a run's checkpoints before anything is spent: whole, and of this run."""

import logging
from pathlib import Path
from typing import Any

from sightline.config.checks import check
from sightline.config.stored import stored_config
from sightline.errors import DamagedError, UserError, counted
from sightline.io.redaction import redacted
from sightline.models.weight_file import zip_damage
from sightline.runs.folder import RunFolder
from sightline.runs.frozen import Frozen
from sightline.runs.resume import differences
from sightline.training.checkpointing.best import best_was_saved
from sightline.training.checkpointing.files import PREVIOUS, find_checkpoint, read_state
from sightline.training.lightning_compat import finished_epochs_of

log = logging.getLogger(__name__)

MISPLACED = "Put this run's own file back, or remove it."


def check_checkpoints(folder: RunFolder) -> None:
    """Refuse to resume with checkpoints of another run, or where the best one is lost.

    The last one may be damaged: the one before, or the start, takes its place.

    Raises:
        UserError: names the file, and what to do.
    """
    last, best, frozen = folder.last, folder.best, folder.frozen
    for path in (last, last.with_name(PREVIOUS), best):
        if frozen is not None and path.is_file() and zip_damage(path) is None:
            _check_of_run(path, read_state(path), frozen)
    start = find_checkpoint(last)
    if start is None:
        return
    state = read_state(start)
    epochs = finished_epochs_of(state)
    if folder.state.epochs < epochs:
        log.warning(
            "%s lost records: it has those of %s, and %d are trained. The run resumes; what "
            "is lost is not logged again.", folder.upload.journal,
            counted(folder.state.epochs, "epoch"), epochs,
        )  # fmt: skip
    problem = None
    if best.is_file():
        problem = zip_damage(best)
    elif best_was_saved(state):
        problem = "it is missing"
    if problem is not None:
        raise DamagedError(
            best, problem,
            "It holds the best weights so far. Put back a copy of it (MLflow may have one, under "
            f"checkpoints/), or remove {best.parent}: the same command then trains from the start.",
        )  # fmt: skip


def _check_of_run(path: Path, state: dict[str, Any], frozen: Frozen) -> None:
    """Refuse the checkpoint of a run with another config, or on other data."""
    identity = state.get("sightline")
    if not isinstance(identity, dict) or not isinstance(identity.get("config"), dict):
        raise UserError(f"{path} is no checkpoint of a training of Sightline. {MISPLACED}")
    tracking = {"tracking": frozen.config.tracking.model_dump()}
    try:
        stored = redacted(stored_config(identity["config"], path.name))  # as run.json has it
        config = check(stored | tracking)
    except UserError as error:
        raise DamagedError(path, f"its config is not a training's ({error})", MISPLACED) from error
    differing = differences(config, frozen.config)
    found = [f"{key} is {there!r} in it and {here!r} in run.json" for key, there, here in differing]
    data = identity.get("data", frozen.data)
    if frozen.data and data != frozen.data:
        found.append("it was trained on other data")
    if found:
        raise DamagedError(path, f"it is of another run ({'; '.join(found)})", MISPLACED)
