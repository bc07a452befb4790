"""Processes that a failed test leaves: they end before the next test."""

from __future__ import annotations

import signal
import subprocess
import sys

from support import cheap_job
from support.forked import end_started


def test_processes_and_pipes_are_gone() -> None:
    new = subprocess.Popen(["sleep", "600"], stdin=subprocess.PIPE, start_new_session=True)
    forked = subprocess.Popen([sys.executable, cheap_job.__file__, "sweep", "--help"],
                              stdout=subprocess.PIPE)  # fmt: skip
    assert new.stdin is not None
    assert forked.stdout is not None
    assert new.poll() is None
    end_started()
    assert new.returncode == -signal.SIGKILL
    assert forked.returncode is not None
    assert new.stdin.closed
    assert forked.stdout.closed
