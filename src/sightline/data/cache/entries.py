"""Entries of the cache folder: decoded images, features, unpacked tables; facts beside each."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DamagedError, UserError
from sightline.io.sealed import read_sealed
from sightline.paths import image_cache_dir

GIB = 2**30
MIB = 2**20
KEY = re.compile(r"[0-9a-f]{32}")  # a digest; files of other names are somebody's own
FEATURES = ".features"
# Decoded images; unpacked tables (cache/mapped_tables.py); features of frozen backbones.
SUFFIXES = (".npy", ".arrow", FEATURES)


@dataclass(frozen=True)
class CacheEntry:
    """One file of the cache.

    Attributes:
        key: the file's name without its suffix.
        name: of the data set.
        images: number of images (or rows).
        shape: of one image, (C, S, S), or of its features, (D,); empty for a table.
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


def make_room(needed: int, max_gib: float, what: str) -> None:
    """Remove the least recently used entries until a new file fits.

    Args:
        needed: its size, in bytes.
        max_gib: limit of the cache folder, in GiB.
        what: the new file is of, for messages, such as `the decoded images`.

    Raises:
        UserError: there is no room for it.
    """
    folder, limit = image_cache_dir(), max_gib * GIB
    if needed > limit:
        raise UserError(
            f"data.cache: {what} take {needed / GIB:.1f} GiB, but "
            f"data.cache_max_gib={max_gib:g}; allow more, or use data.cache=none."
        )
    entries = sorted(list_entries(), key=lambda entry: entry.used)
    total = sum(entry.size_bytes for entry in entries)
    for entry in entries:
        if total + needed <= limit and needed <= shutil.disk_usage(folder).free:
            break
        remove(entry.key)
        total -= entry.size_bytes
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"data.cache: {folder} has {free / GIB:.1f} GiB free, but {what} take "
            f"{needed / GIB:.1f} GiB; move SIGHTLINE_CACHE, or use data.cache=none."
        )
