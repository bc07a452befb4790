"""Paths and addresses of tar shards, looked up without importing webdataset, thus torch."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from sightline.errors import UserError, did_you_mean


def require_webdataset() -> None:
    """Refuse data=webdataset without its package.

    Raises:
        UserError: with the extra that brings it.
    """
    if find_spec("webdataset") is None:
        raise UserError(
            "data=webdataset needs the package webdataset: pip install 'sightline[shards]'."
        )


def existing_shards(urls: Iterable[str], key: str) -> list[str]:
    """Addresses as they are, and the absolute paths of files, of which * names several.

    Args:
        urls: with {0000..0099} written out.
        key: of the config, for messages.

    Raises:
        UserError: there is no such file.
    """
    found: list[str] = []
    for url in urls:
        if "://" in url or url.startswith("pipe:"):
            found.append(url)
            continue
        path = Path(url).expanduser().absolute()
        files = sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
        missing = [file for file in files if not file.is_file()] or ([] if files else [path])
        if missing:
            beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            hint = did_you_mean(missing[0].name, beside)
            raise UserError(f"{key}: there is no shard {missing[0]}.{hint}")
        found += [str(file) for file in files]
    return found


def check_shards(wanted: str | list[str], key: str) -> None:
    """Refuse shards that are not there; words that webdataset itself expands (`::`, $) are its own.

    Args:
        wanted: paths or addresses, with {0000..0099} or *.
        key: of the config, for messages.

    Raises:
        UserError: there is no such file.
    """
    from braceexpand import braceexpand  # webdataset needs it

    for each in [wanted] if isinstance(wanted, str) else wanted:
        if "::" not in each and "$" not in each:
            existing_shards(braceexpand(each), key)
