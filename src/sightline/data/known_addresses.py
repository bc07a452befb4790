"""Addresses of data in stored configs: a file makes no command contact what its user never named.

A stranger may have written the config of a run, a checkpoint or a sweep, and with it the data set
of the hub or the shards that are read. So its addresses are used only where this command names
them, where an earlier command of this user did, or where the hub's cache has the data set.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sightline.config.data_addresses import addresses_of, all_addresses
from sightline.data.sources.hub_names import is_in_hub_cache
from sightline.errors import UserError
from sightline.io.atomic import append_whole
from sightline.io.redaction import redacted
from sightline.paths import cache_dir

log = logging.getLogger(__name__)

FILE = "data_addresses"  # in the cache: the digest of each address that a command named, a line


def remember_addresses(data: Mapping[str, Any]) -> None:
    """Remember the addresses of data that a command of this user names, as digests.

    Args:
        data: the node `data` of a config.
    """
    digests = {
        _digest(each) for text in all_addresses([data]) for each in (text, str(redacted(text)))
    }
    new = digests - _remembered()
    if not new:
        return
    path = cache_dir() / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            append_whole(descriptor, "".join(f"{each}\n" for each in sorted(new)).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s cannot be written (%s): `sightline evaluate` of this run will ask for the "
                    "address of its data.", path, error.strerror)  # fmt: skip


def check_addresses(data: Mapping[str, Any], origin: object, allowed: Collection[str] = ()) -> None:
    """Refuse a stored config whose data is at an address that this user did not name.

    Args:
        data: the node `data` of the config.
        origin: where it is stored, for the message.
        allowed: addresses that this command names.

    Raises:
        UserError: with the words that allow it.
    """
    found = addresses_of(data)
    known = _remembered() if found else set()
    for key, texts in found.items():
        for text in texts:
            if text in allowed or _digest(text) in known or _was_fetched(key, text):
                continue
            words = " ".join(f"data.{each}={_shown(values)}" for each, values in found.items())
            raise UserError(
                f"{origin} names data.{key}={text}, which would be contacted, and no command of "
                f"yours named it before. If you trust it, add {words} to this command."
            )


def _was_fetched(key: str, text: str) -> bool:
    return key == "name" and not Path(text).expanduser().exists() and is_in_hub_cache(text)


def _shown(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"[{','.join(values)}]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _remembered() -> set[str]:
    try:
        return set((cache_dir() / FILE).read_text(encoding="ascii").split())
    except (OSError, ValueError):  # none yet; what is damaged is named again
        return set()
