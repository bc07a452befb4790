"""Imported runs: they have predictions, but no model and no training."""

from collections.abc import Mapping

from sightline.errors import UserError
from sightline.tracking.mlflow.tags import KIND, KIND_IMPORT


def is_imported(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags was imported."""
    return tags.get(KIND) == KIND_IMPORT


def check_has_model(name: str, tags: Mapping[str, str]) -> None:
    """Refuse a run that was imported, where its model or its training is needed.

    Args:
        name: of the run, for the message.
        tags: of the run.

    Raises:
        UserError: it was imported.
    """
    if is_imported(tags):
        raise UserError(
            f"The run {name!r} was imported: it has predictions, but no model and no training. "
            "`sightline show` and `sightline compare` take it."
        )
