"""Helpers of tests on a real Slurm: a slow model, waiting, states of jobs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

PLUGIN = """
import os, sys, time
from pathlib import Path
import pytest
from torch import nn

sys.path.append({tests!r})
from support.figures import draw_each_form_once
draw_each_form_once(pytest.MonkeyPatch(), Path({figures!r}))

class Slow(nn.Module):
    '''Slow, until a file says to hurry or its job was restarted at its limit.'''

    def __init__(self, num_classes: int, in_chans: int, img_size: int, hurry: str):
        super().__init__()
        self.hurry = hurry
        self.layer = nn.Linear(in_chans * img_size**2, num_classes)

    def forward(self, x):
        restarted = self.hurry == "restart" and os.environ.get("SLURM_RESTART_COUNT")
        if self.training and not restarted and not Path(self.hurry).exists():
            time.sleep(1)
        return self.layer(x.flatten(1))
"""
COMMON = [
    "--config-dir=configs", "model=slow", "plugins=[slow_plugin]", "data.batch_size=320",
    "tracking.system_metrics_interval_s=null", "early_stopping.patience_epochs=null",
    "report=none",
]  # fmt: skip
# Of the machine: read when this is imported, before the session has temporary files of its own.
LOCK = Path(tempfile.gettempdir()) / "sightline-slurm-tests.lock"


def slurm_answers() -> bool:
    if shutil.which("scontrol") is None:
        return False
    return subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode == 0


MARKS = [
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),  # scenarios on the one Slurm
    pytest.mark.skipif(not slurm_answers(), reason="no Slurm runs here"),
]


def wait_until(
    done: Callable[[], bool],
    what: str,
    process: subprocess.Popen[str] | None = None,
    timeout_s: float = 420,
) -> None:
    """Wait until `done`; fail as soon as `process` ends."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert process is None or process.poll() is None, (what, *process.communicate())
        assert time.monotonic() < deadline, f"{what}: not after {timeout_s} s"
        time.sleep(0.3)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def state(job: str) -> str:
    return run("squeue", "--states=all", "-h", "-j", job, "-o", "%T")


@contextmanager
def alone_on_slurm() -> Iterator[None]:
    """Hold a lock: two scenarios on one machine's Slurm would preempt each other's jobs."""
    with FileLock(LOCK, timeout=900):
        yield


def write_plugin(folder: Path) -> str:
    """The slow model and its config; the PYTHONPATH by which it is found.

    Jobs are processes of Slurm and not forked: their figures too are drawn once.
    """
    figures = folder / "figures"
    figures.mkdir()
    (folder / "configs" / "model").mkdir(parents=True)
    config = "_target_: slow_plugin.Slow\nhurry: ???\n"
    (folder / "configs" / "model" / "slow.yaml").write_text(config)
    (folder / "slow_plugin.py").write_text(
        PLUGIN.format(tests=str(Path(__file__).parent.parent), figures=str(figures))
    )
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
