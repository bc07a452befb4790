"""Faults of the tracking server, and of what stands before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from support.commands import finish, start
from support.faulty_proxy import FaultyProxy
from support.server import TrackingServer
from support.soak_trial import Trial


@contextmanager
def _serving(trial: Trial) -> Iterator[TrackingServer]:
    """A tracking server of the trial's store."""
    serving = TrackingServer(trial.root, f"sqlite:///{trial.root}/mlflow.db")
    serving.start()
    try:
        yield serving
    finally:
        serving.stop()


def server(trial: Trial) -> None:
    """A tracking server that is killed at a random moment and started again, twice."""
    with _serving(trial) as serving:
        to_server = [f"tracking.uri={serving.uri}", "tracking.offline=auto"]
        process = trial.start(*to_server)
        for _ in range(2):
            time.sleep(trial.rng.uniform(0, trial.duration_s))
            serving.stop()
            time.sleep(trial.rng.uniform(0, 3))
            serving.start()
        code, _, err = finish(process, timeout_s=1200)
        assert code == 0, err
        code, out, err = finish(start(trial.root, "sync", str(trial.folder)))
        assert code == 0, out + err
    trial.done += " the server killed twice;"


def answers(trial: Trial, kind: str) -> None:
    """A proxy that from a random request on answers half of them otherwise, until the end.

    The run ends as it would have; what was not uploaded by then, `sync` uploads.
    """
    with _serving(trial) as serving, FaultyProxy(serving.uri, kind, trial.rng).serving() as proxy:
        to_server = [f"tracking.uri={proxy.uri}", "tracking.offline=auto",
                     "tracking.flush_timeout_s=20"]  # fmt: skip
        proxy.sound, proxy.faulty = trial.rng.randint(1, 30), True
        process = trial.start(*to_server)
        code, _, err = finish(process, timeout_s=1200)
        assert code == 0, err
        proxy.faulty = False
        assert proxy.met, "no request met the fault"
        trial.done += f" {proxy.met} requests met {kind};"
        again = ["--again"] if kind == "413" else []  # a refused record is not pending
        code, out, err = finish(start(trial.root, "sync", str(trial.folder), *again))
        assert code == 0, out + err
