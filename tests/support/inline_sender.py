"""Uploads by the training's own process, for tests that are not about the process that uploads.

Starting that process and opening a store in it take a third of a small training's time. The same
parts work here, one after the other: at the beginning, with each look for events, and at the end.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import SimpleNamespace

import mlflow

from sightline.config.schema import TrackingConfig
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.tracking.sender import process
from sightline.tracking.sender.launch import Event, SenderProcess
from sightline.tracking.sender.run_upload import RunUpload


class InlineSender:
    """In the place of `SenderProcess`: it uploads to a store in a file, which always answers."""

    def __init__(self, config: TrackingConfig, folder: RunFolder) -> None:
        own = RunFolder(folder.path)
        own.work_for(folder.token)
        self._upload = RunUpload(own, config)
        self._ends = ExitStack()
        self._works = self._told = False
        self._events: list[Event] = [{"event": "asking"}]
        self.status: int | None = None
        self._upload.open()
        self._events.append({"event": "ready", "stream": "journal"})

    def read_events(self, timeout_s: float) -> list[Event]:
        """Upload what there is; the events since the last call."""
        if self.status is None:
            self._upload_pending()
        events, self._events = self._events, []
        return events

    def send_end(self, failed: bool) -> None:
        """Upload the rest."""
        if failed:
            process._record_failure(self._upload, SimpleNamespace(report="failed"))  # type: ignore[arg-type]
        self._upload_pending()
        self.kill()

    def kill(self) -> None:
        """End it."""
        self.status = 0

    def close(self) -> None:
        """Let other senders work for the run."""
        self._ends.close()

    def _upload_pending(self) -> None:
        upload = self._upload
        if not upload.folder.upload.journal.exists():
            return
        if not self._works:
            self._works = True
            self._ends.enter_context(upload.folder.upload.lock(-1))
            upload.resume()
            upload.folder.upload.write_destination(upload.config)
        before = os.environ.get("MLFLOW_TRACKING_URI")
        upload.upload_all()
        if before is None and "MLFLOW_TRACKING_URI" in os.environ:
            mlflow.set_tracking_uri(None)  # set where a model is logged, for this process alone
        if not self._told and "run_id" in upload.position:
            self._told = True
            self._events.append({"event": "run"})


def inline_or_process(
    config: TrackingConfig, folder: RunFolder, forks: bool = False
) -> InlineSender | SenderProcess:
    """A sender for a run: a process where the test asks for what only that does."""
    config = config.model_copy(update={"uri": config.uri or default_store()})
    in_file = str(config.uri).startswith("sqlite:")
    if config.offline is True or config.system_metrics_interval_s is not None or not in_file:
        return SenderProcess(config, folder, forks)
    return InlineSender(config, folder)
