"""Runs without a training of their own: imported predictions, and probes of frozen backbones."""

from collections.abc import Mapping

from sightline.errors import UserError
from sightline.tracking.mlflow.tags import CHECKPOINT, KIND, KIND_IMPORT, KIND_PROBE

TAKE = "`sightline show` and `sightline compare` take it."


def is_imported(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags was imported."""
    return tags.get(KIND) == KIND_IMPORT


def is_probe(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags is a probe of a frozen backbone."""
    return tags.get(KIND) == KIND_PROBE


def check_has_model(name: str, tags: Mapping[str, str]) -> None:
    """Refuse a run without a checkpoint, where its model is needed.

    Args:
        name: of the run, for the message.
        tags: of the run.

    Raises:
        UserError: it was imported, or is a probe without one.
    """
    _check_not_imported(name, tags)
    if is_probe(tags) and tags.get(CHECKPOINT) != "true":
        raise UserError(
            f"The run {name!r} is a probe of a frozen backbone without a checkpoint: nearest "
            "neighbours have none, and of several backbones none is kept unless checkpoints=true. "
            f"{TAKE}"
        )


def check_is_training(name: str, tags: Mapping[str, str]) -> None:
    """Refuse a run that no training made, where it is resumed or trained again.

    Args:
        name: of the run, for the message.
        tags: of the run.

    Raises:
        UserError: it was imported, or is a probe.
    """
    _check_not_imported(name, tags)
    if is_probe(tags):
        raise UserError(
            f"The run {name!r} is a probe of a frozen backbone, and no training. Repeat its "
            "command (`sightline show` tells it), which does what is missing."
        )


def _check_not_imported(name: str, tags: Mapping[str, str]) -> None:
    if is_imported(tags):
        raise UserError(
            f"The run {name!r} was imported: it has predictions, but no model and no training. "
            f"{TAKE}"
        )
