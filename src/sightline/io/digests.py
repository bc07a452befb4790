"""Digests of files, by which a change of their content is found."""

import hashlib
from pathlib import Path

CHANGED = "its content is not what was written there"


def file_digest(path: Path) -> str:
    """A digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def damage_by_digest(path: Path, digest: str | None) -> str | None:
    """The damage of a file; None where it has this digest, or none is known."""
    if digest is None:
        return None
    if not path.is_file():
        return "it is missing"
    return None if file_digest(path) == digest else CHANGED
