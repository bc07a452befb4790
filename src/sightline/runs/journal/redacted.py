"""Records without secrets: what the journal keeps of a record, and MLflow gets.

Paths, names of classes and whatever a run is found by are as they are.
"""

from collections.abc import Mapping
from typing import Any

from sightline.io.redaction import redact, redacted
from sightline.tracking.mlflow.tags import (
    COMMAND,
    ERROR,
    NOTE,
    RUN_FOLDER,
    RUN_KEY,
    SWEEP,
    SWEEP_NAME,
)

# Fields of records, and tags, that hold no text of anybody's.
AS_IT_IS = (
    "op", "path", "checkpoint", "class_names", "plugins", "key", RUN_FOLDER, RUN_KEY, SWEEP,
    SWEEP_NAME,
)  # fmt: skip
FREE_TEXT = (COMMAND, ERROR, NOTE, "why")


def redacted_record(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A record's plain containers, as `Record.to_json` gives them, without secrets."""
    return {key: _field(key, value) for key, value in stored.items()}


def _field(key: str, value: Any) -> Any:
    if key in AS_IT_IS:
        return value
    if key in FREE_TEXT and isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redacted_record(value)
    return redacted({key: value})[key]
