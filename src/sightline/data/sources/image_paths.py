"""Paths of images as tables write them: suffixes, file: addresses, Windows paths, other folders."""

import logging
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import TableOrigin
from sightline.errors import UserError, counted

log = logging.getLogger(__name__)

WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def with_suffix(names: pa.Array, suffix: str) -> pa.Array:
    """The names, with `suffix` behind each that has no ending of its own."""
    bare = pc.invert(pc.match_substring_regex(names, r"[^/]\.[A-Za-z0-9]{2,5}$"))
    return pc.if_else(bare, pc.binary_join_element_wise(names, suffix, ""), names)


def local_paths(names: pa.Array, base: Path, origin: TableOrigin, column: str) -> pa.Array:
    """Paths of this machine: file: addresses as paths, and backslashes as slashes.

    Backslashes stay where files are called so.

    Raises:
        UserError: a path with a Windows drive, or an address of another machine.
    """
    texts = None
    for pattern in ("://", "\\"):
        rows = np.flatnonzero(pc.match_substring(names, pattern).to_numpy(zero_copy_only=False))
        if not len(rows):
            continue
        texts = names.to_pylist() if texts is None else texts
        if pattern == "\\" and (base / texts[rows[0]]).exists():
            continue
        for row in rows:
            texts[row] = _local(texts[row], origin, int(row), column)
        what = "addresses" if pattern == "://" else "backslashes"
        paths = counted(len(rows), f"path with {what} is", f"paths with {what} are")
        log.warning("%s, column %r: %s read as %r%s.", origin.name, column, paths, texts[rows[0]],
                    " and the like" if len(rows) > 1 else "")  # fmt: skip
    return names if texts is None else pa.array(texts, pa.string())


def _local(text: str, origin: TableOrigin, row: int, column: str) -> str:
    where = f"{origin.row(row)}, column {column!r}: {text!r}"
    if WINDOWS_DRIVE.match(text):
        raise UserError(
            f"{where} is a path on a drive of Windows. Write paths relative to one folder, and "
            "give that folder as data.root."
        )
    if "://" in text:
        address = urlsplit(text)
        if address.scheme != "file" or address.netloc not in ("", "localhost"):
            raise UserError(f"{where} is an address; images are read from files. Download it.")
        return unquote(address.path)
    return text.replace("\\", "/")


def one_form(paths: pa.Array, base: Path) -> pa.Array:
    """The paths in one form, by which two of one file are known: `./a.png` and `a.png`.

    Args:
        paths: relative to `base`, or absolute.
        base: the folder.
    """
    spelt = pc.match_substring_regex(paths, r"(^|/)\.{0,2}(/|$)")
    rows = np.flatnonzero(spelt.to_numpy(zero_copy_only=False))
    if not len(rows):
        return paths
    texts = paths.to_pylist()
    for row in rows:
        if texts[row].strip():
            texts[row] = os.path.relpath(os.path.normpath(base / texts[row]), base)
    return pa.array(texts, pa.string())


def inside(names: pa.Array, base: Path, origin: TableOrigin, column: str) -> pa.Array:
    """Paths relative to `base`; those that lead out of it are refused."""
    suspicious = pc.or_(pc.match_substring(names, ".."), pc.starts_with(names, "/"))
    rows = np.flatnonzero(suspicious.to_numpy(zero_copy_only=False))
    if not len(rows):
        return names
    texts = names.to_pylist()
    for row in rows:
        path = os.path.relpath(os.path.normpath(base / texts[row]), base)
        if path == ".." or path.startswith("../"):
            raise UserError(
                f"{origin.row(int(row))}, column {column!r}: {texts[row]!r} leads out of {base}. "
                "Give the folder that holds all images as data.root, or data.allow_outside=true."
            )
        texts[row] = path
    return pa.array(texts, pa.string())
