"""What tests leave: processes end before the next test, temporary files with the session."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile

import pytest
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


def test_temporary_files_go_away_with_the_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those of the tests' own process and of one that they start."""
    base = str(tmp_path_factory.getbasetemp())
    assert tempfile.gettempdir().startswith(base)
    script = "import tempfile; print(tempfile.gettempdir())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(base)
