"""The long faults of tracking, at random moments (`make soak`); the suite has a case of each."""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.commands import SMALL, client_of, finish, start
from support.server import TrackingServer
from support.telling import Tell, check_all_arrived

from sightline.runs.folders import run_folders

pytestmark = pytest.mark.soak


@contextmanager
def killed_at_random(server: TrackingServer, seed: int) -> Iterator[list[float]]:
    """Inside, the server is killed and started again and again; how long it was there each time."""
    chance, ended, lived = random.Random(seed), threading.Event(), []

    def kill() -> None:
        while True:
            lived.append(chance.uniform(0, 6))
            if ended.wait(lived[-1]):
                return
            server.stop()
            ended.wait(chance.uniform(0, 6))
            server.start()

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        yield lived
    finally:
        ended.set()
        killing.join()


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_is_killed_at_random(
    tmp_path: Path, tracking_server: TrackingServer, seed: int
) -> None:
    """No training ends, no point is lost or doubled."""
    arguments = ["trainer.max_epochs=20", f"tracking.uri={tracking_server.uri}", f"seed={seed}",
                 "tracking.offline=auto", "tracking.flush_timeout_s=20"]  # fmt: skip
    with killed_at_random(tracking_server, seed) as lived:
        code, out, err = finish(start(tmp_path, "train", *SMALL, *arguments), timeout_s=3000)
    assert code == 0, err
    state = "pending" if "pending:" in out else "all sent"
    print(f"seed {seed}: killed {len(lived) - 1} times; {state}")
    code, _, err = finish(start(tmp_path, "sync"), timeout_s=600)
    assert code == 0, err
    [folder] = run_folders(tmp_path)
    check_all_arrived(MlflowClient(tracking_server.uri), folder.path)


def p99(told: Tell) -> float:
    code, out, err = finish(told.start(), timeout_s=3000)
    assert code == 0, err
    return float(out.rsplit("p99 ", 1)[1])


def test_no_step_waits_for_the_server(tmp_path: Path, tracking_server: TrackingServer) -> None:
    """Steps of 2 ms: their p99 while the server is killed at random, beside a server that stays."""
    ratios = []
    for pair in range(7):
        runs = [
            Tell(str(tmp_path / f"{pair}{kind}"), tracking_server.uri, steps=5000, pause_s=0.002,
                 tracking={"flush_timeout_s": 1, "offline": "auto"}, files=False)
            for kind in ("calm", "killed")
        ]  # fmt: skip
        calm = p99(runs[0])
        with killed_at_random(tracking_server, pair):
            killed = p99(runs[1])
        ratios.append(killed / calm)
        print(f"p99 of a step: {calm * 1000:.2f} ms calm, {killed * 1000:.2f} ms killed")
    print(f"ratio of the p99: median {statistics.median(ratios):.3f} of {ratios}")
    assert statistics.median(ratios) <= 1.2


@pytest.mark.parametrize("attempt", range(5))
def test_sixteen_cold_starts(tmp_path: Path, attempt: int) -> None:
    quick = ["train", *SMALL, "trainer.max_epochs=1", "tracking.system_metrics_interval_s=1"]
    processes = [start(tmp_path, *quick, f"seed={seed}") for seed in range(16)]
    for process in processes:
        code, out, err = finish(process, timeout_s=3000)
        assert code == 0, err
        assert "locked" not in out + err
    client = client_of(tmp_path)
    folders = [folder.path for folder in run_folders(tmp_path)]
    assert len(folders) == len(client.search_runs(["1"])) == 16
    for folder in folders:
        run = check_all_arrived(client, folder)
        assert run.data.metrics["system/cpu_utilization_percentage"] >= 0
