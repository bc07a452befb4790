"""The journal's file: records appended to disk before anything else is done with them.

A line is the CRC-32 of a record, a space, and the record as JSON. A process that dies leaves at
most a torn last line, which the next one cuts off; nothing before it is touched. The first line
states the version of the format; a journal without one is of version 1.
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.errors import UserError
from sightline.io.atomic import append_whole, fsync_parent, when_writable
from sightline.io.folders import PRIVATE, make_folder
from sightline.runs.journal.records import Record, UnknownRecordError, from_json
from sightline.runs.journal.redacted import redacted_record

log = logging.getLogger(__name__)

VERSION = 1
HEADER = {"op": "journal", "version": VERSION}
LONGEST = 64 * 2**20  # bytes of a line; a longer one is none of Sightline's
BLOCK = 65536  # bytes that are read at once in search of the last line
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class JournalWriteError(UserError):
    """A disk that is full, read-only or gone."""


class JournalFormatError(UserError):
    """A journal that another version of Sightline wrote, and this one cannot read."""


class JournalWriter:
    """Appends records to a journal; one process writes, any number read.

    Args:
        path: the journal; made with its folder by the first record.
        check_held: called before each record; raises where this process may write no more.
    """

    def __init__(self, path: Path, check_held: Callable[[], None] | None = None) -> None:
        self.path = path
        self._check_held = check_held
        self._descriptor: int | None = None

    def append(self, record: Record, sync: bool = False) -> None:
        """Write one record completely, or leave the journal as it was.

        Args:
            record: what is logged.
            sync: wait until it is on the disk, not only with the operating system.

        Raises:
            JournalWriteError: the disk is full, read-only or gone.
            LockLostError: another process took the run's folder over.
        """
        try:
            if self._check_held is not None:
                self._check_held()
            _write_line(self._open(), redacted_record(record.to_json()))
        except OSError as error:
            raise self._unwritable(error) from error
        if sync:
            self.sync()

    def sync(self) -> None:
        """Wait until everything is on the disk.

        Raises:
            JournalWriteError: the disk is full, read-only or gone.
        """
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self.path.parent.parent, PRIVATE)
            self.path.parent.mkdir(exist_ok=True)
            new = not self.path.exists()
            if not new:
                _cut_torn_line(self.path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o644)
            if os.fstat(self._descriptor).st_size == 0:
                _write_line(self._descriptor, HEADER)
            if new:
                fsync_parent(self.path)
                fsync_parent(self.path.parent)
        return self._descriptor

    def _unwritable(self, error: OSError) -> JournalWriteError:
        return JournalWriteError(
            f"Cannot write {self.path}: {error.strerror}. What the run logged before is complete; "
            f"give the same command again {when_writable(error)}."
        )


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[Record, int]]:
    """Each complete record from `offset` on, with the offset after it.

    A torn last line is left for later; a damaged line in between is left out with a warning. From
    an offset that is no line's end (the journal lost its end to a power cut) all is read again.

    Raises:
        JournalFormatError: the journal, or a record in it, is of a version that is not known.
    """
    if not path.is_file():
        return
    with path.open("rb") as stream:
        if offset:
            stream.seek(offset - 1)
            if stream.read(1) != b"\n":
                offset = 0
                stream.seek(0)
        while line := stream.readline(LONGEST):
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            stored = _parse(line)
            if stored is None:
                log.warning("%s: the line that ends at byte %d is damaged and left out; the other "
                            "lines are not.", path, offset)  # fmt: skip
            elif stored.get("op") == HEADER["op"]:
                _check_version(path, stored.get("version"))
            else:
                yield _to_record(path, offset, stored), offset


def _check_version(path: Path, version: object) -> None:
    if version != VERSION:
        raise JournalFormatError(
            f"{path} is a journal of version {version}; Sightline {__version__} reads version "
            f"{VERSION}. Use the Sightline that wrote it."
        )


def _to_record(path: Path, offset: int, stored: dict[str, Any]) -> Record:
    try:
        return from_json(stored)
    except UnknownRecordError as error:
        raise JournalFormatError(
            f"{path}: the record that ends at byte {offset} has {error}, which Sightline "
            f"{__version__} does not know. Use the Sightline that wrote it."
        ) from error


def _write_line(descriptor: int, stored: dict[str, Any]) -> None:
    """Append one line, or nothing.

    Raises:
        OSError: it cannot be written.
    """
    text = _encode(stored).encode("utf-8", "replace")  # a file's name need not be UTF-8
    append_whole(descriptor, b"%08x %s\n" % (zlib.crc32(text), text))


def _parse(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        sound = int(checksum, 16) == zlib.crc32(text)
        stored = json.loads(text) if sound else None
    except (ValueError, RecursionError):
        return None
    return stored if isinstance(stored, dict) else None


def _cut_torn_line(path: Path) -> None:
    """Shorten a file to its last newline."""
    with path.open("rb+") as stream:
        size = position = stream.seek(0, os.SEEK_END)
        while position:
            start = max(0, position - BLOCK)
            stream.seek(start)
            found = stream.read(position - start).rfind(b"\n")
            if found >= 0:
                position = start + found + 1
                break
            position = start
        if position < size:
            stream.truncate(position)
