"""Loader processes: they obey signals of the process that started them alone."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, signal
import torch
from torch.utils.data import DataLoader
from sightline.data.reading.workers import start_worker

loader = DataLoader(torch.arange(20), num_workers=2, persistent_workers=True,
                    worker_init_fn=start_worker)
left = iter(loader)  # as an exception leaves it
next(left), next(left)  # one from each worker: both have started
workers = left._workers
stranger = os.fork()
if stranger == 0:  # a signal to the whole process group comes from elsewhere
    for worker in workers:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            os.kill(worker.pid, signum)
    os._exit(0)
os.waitpid(stranger, 0)
print(sum(int(number) for number in left))
print(all(worker.is_alive() for worker in workers))
"""


def test_workers_outlive_signals_but_not_their_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == [str(sum(range(2, 20))), "True"]
