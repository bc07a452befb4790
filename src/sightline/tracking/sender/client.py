"""The training's side of its sender process: no training step waits for it."""

import logging
import time

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.paths import default_store
from sightline.runs.folder import RunFolder
from sightline.runs.journal.upload import RunLocation
from sightline.tracking.sender.launch import Event, SenderProcess
from sightline.tracking.sender.pending import warn_of_pending

log = logging.getLogger(__name__)

MARGIN_S = 15  # what a sender may take beyond its time, to end
START_S = 600  # for imports, and for other processes that create the same store
QUIET_S = 2  # an upload at the end that takes no longer is not announced
RESTARTS = 2  # of a sender that dies during the upload at the end


def upload_pending(config: TrackingConfig, folder: RunFolder) -> None:
    """Upload pending records for at most `flush_timeout_s`, and warn of those that are left.

    Args:
        config: where runs are logged.
        folder: the run's own folder; no process works in it any more.
    """
    upload = folder.upload
    position = upload.position_in(config.uri) if config.uri else upload.position()
    if config.offline is True or not upload.count_pending(position):
        warn_of_pending(folder)
        return
    # No metrics of the machine: it is another time, and may be another machine.
    config = config.model_copy(update={"system_metrics_interval_s": None})
    SenderClient(config, folder, continue_offline=True).close()


class SenderClient:
    """A sender process for one run's folder, started again where it dies.

    Args:
        config: where runs are logged.
        folder: the run's own folder.
        continue_offline: continue without a store that does not answer, as
            `tracking.offline=auto` does.
        forks: whether the first sender is forked from this process, which has MLflow imported and
            does not use CUDA yet.

    Attributes:
        run: its ids, once it is created.
        failed: set where the training ends with an error.
    """

    def __init__(
        self, config: TrackingConfig, folder: RunFolder, continue_offline: bool, forks: bool = False
    ) -> None:
        self.config = config
        self.folder = folder
        self.continue_offline = continue_offline or config.offline == "auto"
        self.run: RunLocation | None = None
        self.failed = False
        self._events: list[Event] = []  # handled, and not yet waited for
        self._failing: set[str] = set()  # names of the streams whose upload fails
        self._process = SenderProcess(config, folder, forks)

    def wait_until_ready(self) -> None:
        """Return when the store answers; at once with `tracking.offline=true`.

        Raises:
            UserError: it does not answer, and the run may not continue without it.
        """
        if self.config.offline is True:
            return
        self._wait_for(("asking",), START_S)  # importing takes long where many start at once
        event = self._wait_for(("ready", "unreachable"), self._store_timeout_s())
        if event.get("event") == "ready":
            return
        problem = event.get("message", "The process that uploads to MLflow gave no answer.")
        if not self.continue_offline:
            raise UserError(f"{problem} Nothing was trained.")
        log.warning("%s The training continues; its journal is stored in %s.",
                    problem, self.folder)  # fmt: skip

    def wait_for_run(self) -> RunLocation | None:
        """The run's ids, as soon as it is created; None where that takes too long."""
        if self.run is None and self.config.offline is not True and not self._failing:
            self._wait_for(("run", "behind"), self.config.start_timeout_s)
        return self.run

    def _store_timeout_s(self) -> float:
        """For a server `start_timeout_s`; for a file longer, as other processes may create it."""
        local = (self.config.uri or default_store()).startswith("sqlite:")
        return START_S if local else self.config.start_timeout_s + MARGIN_S

    def poll(self) -> None:
        """Handle the events that arrived, without waiting; restart a sender that died."""
        self._receive(0)
        self._events.clear()
        if self._process.status is not None:
            self._restart()

    def _restart(self) -> None:
        log.warning("The process that uploads to MLflow ended (%s); a new one is started.",
                    self._process.status)  # fmt: skip
        self._receive(0)
        self._process.close()
        self._process = SenderProcess(self.config, self.folder)

    def close(self, wait: bool = True) -> None:
        """Let the sender upload the rest for at most `flush_timeout_s`; warn of what is left.

        Args:
            wait: for it; without, it uploads on its own.
        """
        begun = self.folder.upload.folder.is_dir()
        if self._process.status is not None and begun:
            self._restart()
        self._send_end()
        if not wait:
            return
        deadline = time.monotonic() + self.config.flush_timeout_s + MARGIN_S
        announce = begun and self.config.offline is not True
        self._flush(deadline, announce)
        for _ in range(RESTARTS if begun else 0):
            if not self._process.status:  # all is done, or the time is up
                break
            self._restart()
            self._send_end()
            self._flush(deadline, announce)
        self._process.kill()
        self._receive(0)
        self._process.close()
        if begun:
            warn_of_pending(self.folder)

    def abandon(self) -> None:
        """End the sender at once: another process has the run's folder, and its own sender."""
        self._process.kill()
        self._process.close()

    def _send_end(self) -> None:
        try:
            self._process.send_end(self.failed)
        except BrokenPipeError:
            log.debug("the sender had ended")

    def _flush(self, deadline: float, announce: bool) -> None:
        """Wait until the sender ends, or until this time of the monotonic clock."""
        quiet = time.monotonic() + QUIET_S
        while self._process.status is None and time.monotonic() < deadline:
            self._receive(0.2)
            if announce and time.monotonic() > quiet:
                log.info("uploading the rest to MLflow, for at most %g s",
                         self.config.flush_timeout_s)  # fmt: skip
                announce = False

    def _wait_for(self, kinds: tuple[str, ...], timeout_s: float) -> Event:
        """The next event of these kinds, those before it dropped; empty where none comes."""
        deadline = time.monotonic() + timeout_s
        while True:
            gone = self._process.status is not None
            self._receive(min(0.2, max(0.0, deadline - time.monotonic())))
            while self._events:
                event = self._events.pop(0)
                if event["event"] in kinds:
                    return event
            if gone or time.monotonic() > deadline:
                return {}

    def _receive(self, timeout_s: float) -> None:
        """Handle the events that arrive within this time, and keep them for `_wait_for`."""
        for event in self._process.read_events(timeout_s):
            self._handle(event)
            self._events.append(event)

    def _handle(self, event: Event) -> None:
        match event["event"]:
            case "run":
                self.run = self.folder.upload.location
            case "warning":
                log.warning("%s", event["message"])
            case "ready" if event["stream"] in self._failing:
                self._failing.remove(event["stream"])
                if not self._failing:
                    log.info("MLflow answers again.")
            case "behind":
                if not self._failing:
                    log.warning("%s. The run's journal is stored in %s and uploaded when MLflow "
                                "answers.", event["message"], self.folder)  # fmt: skip
                self._failing.add(event["stream"])
