"""The list of the cached images and tables, and the removal of some or all of them."""

import time
from collections.abc import Sequence

from rich import box, get_console
from rich.table import Table

from sightline.data.cache.entries import MIB, CacheEntry, list_entries, remove
from sightline.errors import UserError, did_you_mean
from sightline.paths import cache_dir


def print_cache() -> None:
    """Print a table of the entries."""
    entries = list_entries()
    if not entries:
        print(f"Nothing is cached in {cache_dir()}.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("key", "data", "images", "size", "MiB", "last used"):
        table.add_column(title, justify="right" if title in ("images", "MiB") else "left")
    for entry in sorted(entries, key=lambda entry: -entry.used):
        shape = "×".join(map(str, entry.shape))
        megabytes = f"{entry.size_bytes / MIB:,.0f}"
        table.add_row(
            entry.key[:12], entry.name, f"{entry.images:,}", shape, megabytes, _age(entry)
        )
    get_console().print(table)
    total = sum(entry.size_bytes for entry in entries) / MIB
    print(f"{total:,.0f} MiB in {cache_dir()}; `sightline cache clear [KEY ...]` removes them.")


def clear_cache(keys: Sequence[str]) -> None:
    """Remove the entries whose keys begin like one of `keys`; all of them where that is empty.

    Raises:
        UserError: no entry's key begins like one of them.
    """
    entries = list_entries()
    chosen = entries
    if keys:
        chosen = [entry for entry in entries if any(entry.key.startswith(key) for key in keys)]
        for key in keys:
            if not any(entry.key.startswith(key) for entry in entries):
                hint = did_you_mean(key, [entry.key[:12] for entry in entries])
                raise UserError(f"sightline cache clear: nothing is cached under {key!r}.{hint}")
    for entry in chosen:
        remove(entry.key)
    freed = sum(entry.size_bytes for entry in chosen) / MIB
    print(f"Removed {len(chosen)} of {len(entries)}, {freed:,.0f} MiB.")


def _age(entry: CacheEntry) -> str:
    hours = (time.time() - entry.used) / 3600
    return f"{hours / 24:.0f} days ago" if hours >= 48 else f"{hours:.0f} hours ago"
