"""A folder in which one process at a time works: its lock, its journal, and what shuts others out.

A process that was frozen may wake when another one has its folder. So each write to the journal,
the checkpoints and the results, and each upload, checks the lock's token first.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sightline.io.atomic import atomic_path
from sightline.runs.journal.state import JournalReader, RunState
from sightline.runs.journal.upload import UploadState
from sightline.runs.lock import Fence, run_lock
from sightline.runs.lock_owner import LockOwner, lock_owner
from sightline.runs.place import copied, original_of, record_place
from sightline.tracking.mlflow.tags import RUN_FOLDER, RUN_KEY

UNFINISHED = "checkpoints/.*.ckpt*.partial"  # what a process that died was writing


class LockedFolder:
    """The folder of a run or a sweep, with the journal in it.

    Args:
        path: the folder; it need not exist yet.

    Attributes:
        path: the folder.
        upload: how far the journal was uploaded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.upload = UploadState(path / "tracking")
        self._reader = JournalReader(self.upload.journal)
        self._fence: Fence | None = None
        # Other threads see the token and the lock's file change together.
        self._changing = threading.Lock()

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder inside.

        Raises:
            UserError: another process holds it, or it is a copy of a run's folder.
        """
        before = self._fence
        with ExitStack() as held:
            with self._changing:
                self._fence = fence = held.enter_context(run_lock(self.path))
            try:
                if self.upload.folder.is_dir():
                    self.check_original()
                    self.record_place()
                if fence.took_over:
                    self._shut_out()
                yield
            finally:
                with self._changing:
                    self._fence = before
                    held.close()

    def owner(self) -> tuple[LockOwner, float] | None:
        """The process that holds it and the seconds since its last heartbeat, or None."""
        return lock_owner(self.path) if self.path.is_dir() else None

    @property
    def token(self) -> str | None:
        """The token of the lock; None where this process does not hold it."""
        return None if self._fence is None else self._fence.token

    def work_for(self, token: str | None) -> None:
        """Check, from now on, that the process which started this one still has the folder.

        Args:
            token: of that process's lock; None: it has none.
        """
        self._fence = None if token is None else Fence(self.path, token, holder=False)

    def check_held(self) -> None:
        """Refuse to write where another process took the folder over; called before each write.

        Raises:
            LockLostError: names that process.
        """
        with self._changing:
            if self._fence is not None:
                self._fence.check()

    def check_original(self) -> None:
        """Refuse a copy of a run's folder, whose records would go into the original's run.

        Raises:
            UserError: names the original.
        """
        original = original_of(
            self.path, self.upload.folder, lambda: self.state.tags.get(RUN_FOLDER)
        )
        if original is not None and LockedFolder(original)._identity == self._identity:
            location = self.upload.location
            raise copied(self.path, original, location.run_id if location else None)

    def record_place(self) -> None:
        """Record where the folder is, which tells a copy from it later."""
        record_place(self.path, self.upload.folder)

    @property
    def state(self) -> RunState:
        """What the run has logged; a second look reads only what is new."""
        return self._reader.state()

    @property
    def status(self) -> str | None:
        """RUNNING, FINISHED, FAILED or KILLED, as last logged; None before the run began."""
        return self.state.status

    @property
    def _identity(self) -> str | None:
        """The run's own key; the id in MLflow of one that it evaluates, and that has its own."""
        location = self.upload.location
        return self.state.tags.get(RUN_KEY) or (location.run_id if location else None)

    def _shut_out(self) -> None:
        """Keep a process that was frozen out of the journals, also in the middle of a write.

        The files that it has open are then not those of the folder any more.
        """
        for path in (self.upload.journal, self.upload.system_journal):
            if path.is_file():
                with atomic_path(path) as partial:
                    shutil.copyfile(path, partial)
        for path in self.path.glob(UNFINISHED):
            path.unlink(missing_ok=True)
