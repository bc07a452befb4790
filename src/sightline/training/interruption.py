"""Ctrl-C and SIGTERM end a run at a batch boundary, with its state saved and its status true."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from sightline.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopAtBatch(Callback):
    """Notes a signal and acts on it at the end of the batch; a second one acts at once.

    Saving in the signal handler itself can hang, so it only sets a flag while batches run.

    Args:
        checkpoint: where the state at the interruption is saved.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self._in_batches = False
        self._signum: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals inside; elsewhere they are as they were."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python allows handlers in the main thread alone
            return
        before = {signum: signal.getsignal(signum) for signum in SIGNALS}
        self._install()
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _install(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                signal.signal(signum, self._handle)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if not self._in_batches or self._signum is not None:
            raise Interrupted(signum)
        self._signum = signum
        # Not the log: the signal may have come while its stream was being written to.
        name = signal.Signals(signum).name
        os.write(2, f"{name}: stopping after this batch (once more to stop at once)\n".encode())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals back: Lightning sets handlers of its own when a fit starts."""
        self._install()
        self._in_batches = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on a signal acts at once."""
        self._in_batches = False

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save and stop if a signal came during the batch."""
        self._stop_if_asked(trainer)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Save and stop if a signal came during the batch."""
        self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: Trainer) -> None:
        if self._signum is not None:
            signum, self._in_batches = self._signum, False
            trainer.save_checkpoint(self.checkpoint)
            raise Interrupted(signum)
