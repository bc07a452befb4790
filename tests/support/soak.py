"""A training that is killed, and the kill: SIGKILL for it and its workers."""

from __future__ import annotations

import signal
from contextlib import suppress

import psutil

from support.commands import SMALL

COMMAND = ["train", *SMALL, "data.batch_size=100", "mix=mixup", "ema.decay=0.9",
           "trainer.max_epochs=4", "checkpoint.every_n_steps=3"]  # fmt: skip


def kill_all(pid: int, with_sender: bool) -> None:
    """SIGKILL a training and its workers, with or without the process that sends to MLflow."""
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if with_sender or "sightline.tracking.sender.process" not in " ".join(
                process.cmdline()
            ):
                process.send_signal(signal.SIGKILL)
