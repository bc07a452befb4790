"""One training as a command of its own: what it says of itself, its wall time and its memory."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bench_peers.registry import Peer
from benchmarks.bench_peers.task import Task
from benchmarks.bench_peers.watch import Watch

ROOT = Path(__file__).parents[2]


class PeerFailed(Exception):
    """A training that ended with an error; its message is the last line that it printed."""


def measure(peer: Peer, task: Task, threads: int) -> dict[str, Any]:
    """Train in a new process and an empty folder.

    Args:
        peer: what trains.
        task: what it trains; `started` is set here.
        threads: of PyTorch, as of all peers.

    Raises:
        PeerFailed: the process ended with an error.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        begun, wall = time.perf_counter(), time.time()
        given = json.dumps(asdict(task) | {"started": wall, "row": peer.row})
        work = Path(folder) / "work"  # the output is beside it, as peers write names of their own
        work.mkdir()
        with (Path(folder) / "output.txt").open("w+") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.bench_peers.process", peer.file, given],
                cwd=work, env=_environment(Path(folder), threads), stdout=output, stderr=output,
            )  # fmt: skip
            watch = Watch(process.pid)
            watch.start()
            status = process.wait()
            seconds = time.perf_counter() - begun
            watch.ended.set()
            watch.join()
            output.seek(0)
            lines = output.read().splitlines()
    if status:
        raise PeerFailed(lines[-1] if lines else f"exit status {status}")
    said = json.loads(next(line for line in reversed(lines) if line.startswith('{"row"')))
    training = said.pop("training")
    on_gpu = {
        "gpu_percent": watch.gpu_percent(training[1:]),
        "gpu_peak_mib": watch.gpu_peak_mib,
    }
    return {
        **said, "seconds": seconds, "peak_mib": watch.peak_mib, **(on_gpu if said["gpu"] else {})
    }  # fmt: skip


def _environment(folder: Path, threads: int) -> Mapping[str, str]:
    """What all peers run with; caches of images are empty at the start."""
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "OMP_NUM_THREADS": str(threads),
        "SIGHTLINE_CACHE": str(folder / "cache"),
        "KERAS_BACKEND": "torch",
    }
