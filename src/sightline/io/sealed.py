"""Sealed files: JSON with a digest of its own content, by which damage is noticed."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sightline.errors import DamagedError
from sightline.io.atomic import write_atomically
from sightline.io.digests import CHANGED
from sightline.io.stored_text import read_stored_json

DIGEST = "digest"  # the key of the digest, beside the facts


def write_sealed(path: Path, facts: dict[str, Any]) -> None:
    """Write facts and their digest atomically."""
    text = json.dumps(facts | {DIGEST: _digest(facts)}, indent=2, ensure_ascii=False)
    write_atomically(path, text)


def read_sealed(path: Path, whole: str | None = None) -> dict[str, Any]:
    """The facts of a file; without a digest, as files had none before, they are taken as they are.

    Args:
        path: the file.
        whole: key of the list that older files of this kind consist of.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is no mapping in JSON, or its content is not what was written.
    """
    facts = read_stored_json(path)
    if whole is not None and isinstance(facts, list):
        return {whole: facts}
    if not isinstance(facts, dict):
        raise DamagedError(path, "it is no mapping")
    digest = facts.pop(DIGEST, None)
    if digest is not None and digest != _digest(facts):
        raise DamagedError(path, CHANGED)
    return facts


def _digest(facts: dict[str, Any]) -> str:
    as_read = json.loads(json.dumps(facts))  # keys are text then, and so is their order
    text = json.dumps(as_read, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
