"""Partial table: rows appended to disk as they are computed, so that a command can resume.

The file is an Arrow IPC stream without its end mark: the schema, then one message for each batch. A
process that dies leaves at most one incomplete message at the end, which the next one truncates.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pyarrow as pa

from sightline.errors import UserError
from sightline.io.atomic import append_whole, when_writable
from sightline.io.folders import make_folder, remove_empty

BEGIN = b"\xff\xff\xff\xff"  # of each message of Arrow's


class PartialTable:
    """A growing file of record batches, locked by one process.

    Args:
        path: the file; created if missing.
        schema: of the rows; its metadata names the inputs that the rows depend on.
        discard: whether rows of another schema or other inputs are discarded.

    Attributes:
        rows: number of rows in the file.

    Raises:
        UserError: another process holds the lock, the file is no partial table, or, without
            `discard`, the rows have another schema or other inputs.
    """

    def __init__(self, path: Path, schema: pa.Schema, discard: bool) -> None:
        self.path = path
        self.schema = schema
        self.rows = 0
        self._made = make_folder(path.parent)
        self._empty = path.is_file() and path.stat().st_size == 0  # not made here, so it stays
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._lock()
            self._check_own()
            end = self._resume(discard)
            os.ftruncate(self._descriptor, end)
            if end == 0:
                self._write(schema.serialize())
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file and release its lock; one without rows is removed."""
        if self.rows == 0 and not self._empty:
            self.path.unlink(missing_ok=True)
            remove_empty(self._made)
        os.close(self._descriptor)

    def append(self, batch: pa.RecordBatch) -> None:
        """Append a batch atomically.

        Raises:
            UserError: the disk is full or cannot be written.
        """
        self._write(batch.serialize())
        self.rows += batch.num_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches, in the order in which they were appended."""
        with pa.OSFile(str(self.path)) as source:
            pa.ipc.read_message(source)
            while (message := _next(source)) is not None:
                yield pa.ipc.read_record_batch(message, self.schema)

    def remove(self) -> None:
        """Remove the file."""
        self.rows = 0
        self.path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another process is writing {self.path}; wait until it ends."
            ) from error

    def _check_own(self) -> None:
        """Refuse a file that no such table begins like: somebody else's, with this name."""
        begin = os.pread(self._descriptor, len(BEGIN), 0)
        if begin != BEGIN[: len(begin)]:
            raise UserError(
                f"{self.path} is in the way: rows are kept there until all are computed, but this "
                "file is none of Sightline's. Rename it, or give another output."
            )

    def _resume(self, discard: bool) -> int:
        """Offset in bytes after the last complete batch; 0 to start over."""
        with pa.OSFile(str(self.path)) as source:
            message = _next(source)
            if message is None:
                return 0
            try:
                stored = pa.ipc.read_schema(message)
            except (pa.ArrowInvalid, OSError, ValueError):
                stored = pa.schema([])
            if not stored.equals(self.schema, check_metadata=True):
                if discard:
                    return 0
                raise UserError(
                    f"{self.path} holds part of a table that differs in: "
                    f"{_difference(stored, self.schema)}. Repeat the command that began it, or "
                    "give another output, or overwrite=true to discard it."
                )
            end = source.tell()
            while (message := _next(source)) is not None:
                self.rows += pa.ipc.read_record_batch(message, stored).num_rows
                end = source.tell()
            return int(end)

    def _write(self, content: pa.Buffer) -> None:
        try:
            append_whole(self._descriptor, memoryview(content))
        except OSError as error:
            raise UserError(
                f"Cannot write {self.path}: {error.strerror}. The rows written so far are kept; "
                f"repeat the command {when_writable(error)} to resume."
            ) from error


def _next(source: pa.NativeFile) -> pa.Message | None:
    """The next complete message; None at the end."""
    try:
        return pa.ipc.read_message(source)
    except (EOFError, pa.ArrowInvalid, OSError):
        return None


def _difference(stored: pa.Schema, wanted: pa.Schema) -> str:
    """Names of the inputs in which the stored rows differ, or `columns`."""
    before, now = stored.metadata or {}, wanted.metadata or {}
    differing = [key.decode() for key in now if before.get(key) != now[key]]
    return ", ".join(differing) or "columns"
