"""`sightline cache`: what is kept, and how to forget it."""

import sys
import time

from rich import box, get_console
from rich.table import Table

from sightline.data.cache.files import MIB, Entry, list_entries, remove
from sightline.errors import UserError, did_you_mean
from sightline.paths import cache_dir

USAGE = "usage: sightline cache [clear [KEY ...]]"


def show_cache(arguments: list[str]) -> int:
    """Print a table of the entries; with `clear`, remove those named, or all."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if arguments and arguments[0] != "clear":
        print(f"sightline cache: unknown word {arguments[0]!r}.\n{USAGE}", file=sys.stderr)
        return 2
    entries = list_entries()
    if arguments:
        _clear(entries, arguments[1:])
        return 0
    if not entries:
        print(f"Nothing is kept in {cache_dir()}.")
        return 0
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
    print(f"{total:,.0f} MiB in {cache_dir()}; `sightline cache clear [KEY ...]` forgets them.")
    return 0


def _clear(entries: list[Entry], keys: list[str]) -> None:
    chosen = entries
    if keys:
        chosen = [entry for entry in entries if any(entry.key.startswith(key) for key in keys)]
        for key in keys:
            if not any(entry.key.startswith(key) for entry in entries):
                hint = did_you_mean(key, [entry.key[:12] for entry in entries])
                raise UserError(f"sightline cache clear: nothing is kept under {key!r}.{hint}")
    for entry in chosen:
        remove(entry.key)
    freed = sum(entry.size_bytes for entry in chosen) / MIB
    print(f"Forgot {len(chosen)} of {len(entries)}, {freed:,.0f} MiB.")


def _age(entry: Entry) -> str:
    hours = (time.time() - entry.used) / 3600
    return f"{hours / 24:.0f} days ago" if hours >= 48 else f"{hours:.0f} hours ago"
