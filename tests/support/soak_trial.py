"""One run of the soak that is interrupted: where it is, its command, and what was done to it."""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from support.commands import finish, start
from support.soak import kill_all


@dataclass
class Trial:
    """One run that is interrupted.

    Attributes:
        root: the working folder, with the store.
        folder: the run's own.
        words: of its command.
        duration_s: of the run without an interruption.
        rng: draws what is done, and when.
        done: what was done, for the table.
    """

    root: Path
    folder: Path
    words: list[str]
    duration_s: float
    rng: random.Random
    done: str = ""

    def start(self, *more: str) -> subprocess.Popen[str]:
        """The command, as a process."""
        return start(self.root, *self.words, *more, f"hydra.run.dir={self.folder}")

    def kill(self) -> None:
        """Start it, and kill it and mostly its sender at a random moment."""
        process, after_s = self.start(), self.rng.uniform(0, self.duration_s)
        time.sleep(after_s)
        if process.poll() is None:
            kill_all(process.pid, with_sender=self.rng.random() < 0.7)
            self.done += f" killed after {after_s:.1f} s;"
        finish(process)
