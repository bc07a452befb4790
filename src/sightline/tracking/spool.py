"""What a run has to tell, on disk before anybody else hears of it: an append-only journal.

A line is the CRC-32 of a record, a space, and the record as JSON. A process that dies leaves at
most a torn last line, which the next one cuts off; nothing before it is touched.
"""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline.errors import UserError

log = logging.getLogger(__name__)

Record = dict[str, Any]


class Spool:
    """Appends records to a journal; one process writes, any number read.

    Args:
        path: the journal; made with its folder by the first record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def append(self, record: Record, sync: bool = False) -> None:
        """Write one record whole, or leave the journal as it was.

        Args:
            record: plain containers.
            sync: wait until it is on the disk, not only with the operating system.

        Raises:
            UserError: the disk is full, or cannot be written.
        """
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        try:
            descriptor = self._open()
            end = os.fstat(descriptor).st_size
            written = os.write(descriptor, line)
            if written < len(line):  # the disk is full
                os.ftruncate(descriptor, end)
                raise OSError(28, os.strerror(28))
            if sync:
                os.fsync(descriptor)
        except OSError as error:
            raise UserError(
                f"Cannot write {self.path}: {error.strerror}. What the run told before is kept; "
                "give the same command again when there is room."
            ) from error

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                _cut_torn_line(self.path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o644)
        return self._descriptor


def read_spool(path: Path, offset: int = 0) -> Iterator[tuple[Record, int]]:
    """Each whole record from `offset` on, with the offset after it.

    A torn last line is not there yet; a damaged line in between is left out with a warning.
    """
    if not path.is_file():
        return
    with path.open("rb") as stream:
        stream.seek(offset)
        for line in stream:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            record = _parse(line)
            if record is None:
                log.warning("%s: the line that ends at byte %d is damaged.", path, offset)
            else:
                yield record, offset


def _parse(line: bytes) -> Record | None:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        sound = int(checksum, 16) == zlib.crc32(text)
        record = json.loads(text) if sound else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that others see it whole or not at all, also after a crash."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
