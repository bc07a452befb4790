"""Entries of the cache folder: decoded images and unpacked tables, each with facts beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DamagedError
from sightline.io.sealed import read_sealed
from sightline.paths import image_cache_dir

GIB = 2**30
MIB = 2**20
KEY = re.compile(r"[0-9a-f]{32}")  # a digest; files of other names are somebody's own
SUFFIXES = (".npy", ".arrow")  # decoded images; unpacked tables (cache/mapped_tables.py)


@dataclass(frozen=True)
class CacheEntry:
    """One file of the cache.

    Attributes:
        key: the file's name without its suffix.
        name: of the data set.
        images: number of images (or rows).
        shape: of one image, (C, S, S); empty for a table.
        size_bytes: of the file.
        used: time of the last use, in seconds since the epoch.
    """

    key: str
    name: str
    images: int
    shape: tuple[int, ...]
    size_bytes: int
    used: float


def list_entries() -> list[CacheEntry]:
    """The entries of the cache, by key."""
    entries = []
    found = image_cache_dir().glob("*.json")
    for about in sorted(path for path in found if KEY.fullmatch(path.stem)):
        for path in filter(Path.is_file, map(about.with_suffix, SUFFIXES)):
            try:
                facts = read_sealed(about)
            except DamagedError:
                facts = {}
            name = facts.get("name", "damaged")  # which can be removed all the same
            images, *shape = facts.get("shape", [0])
            stat, used_s = path.stat(), about.stat().st_mtime
            entries.append(CacheEntry(about.stem, name, images, tuple(shape), stat.st_size, used_s))
    return entries


def remove(key: str) -> None:
    """Delete one entry; a process that has mapped the file can read it until it ends."""
    for suffix in (".json", *SUFFIXES):
        (image_cache_dir() / f"{key}{suffix}").unlink(missing_ok=True)
