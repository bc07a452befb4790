"""Jobs forked from a process with the libraries loaded: as separate as new processes would be."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.cheap_job import wait_for

from sightline.io.forked import ForkedProcess
from sightline.sweeps.forked_jobs import JobServer
from sightline.sweeps.process import JOB_COMMAND

# A job that tells what it finds, and then changes all of it, as a job might.
JOB = """
import json, os, random, signal, sys
import numpy as np
import torch

import mlflow

found = {
    "words": sys.argv[1:], "variable": os.environ.get("OF_ONE_JOB"), "folder": os.getcwd(),
    "random": [random.random(), np.random.rand()], "torch": torch.initial_seed(),
    "handlers": [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)],
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "open": sorted(int(each) for each in os.listdir("/proc/self/fd"))[:-1],
    "ids": [os.getpid(), os.getppid(), os.getsid(0)], "input": sys.stdin.read(),
    "uri": mlflow.get_tracking_uri(), "attribute": hasattr(torch, "of_a_job"),
    "cuda": torch.cuda.is_initialized() or torch.cuda._is_in_bad_fork(),
    "loaded": "pytorch_lightning" in sys.modules,
}
print(json.dumps(found), flush=True)
os.environ["OF_ONE_JOB"] = "changed"
os.chdir("/")
random.seed(1), np.random.seed(1), torch.manual_seed(1)
mlflow.set_tracking_uri("sqlite:////changed.db")
torch.of_a_job = True
for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(each, signal.SIG_IGN)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobServer]:
    monkeypatch.chdir(tmp_path)
    with JobServer({"OMP_NUM_THREADS": "1"}) as server:
        yield server


def forked(server: JobServer, code: str, *words: str, **environment: str) -> ForkedProcess:
    """A job of this code; it prints to output.log."""
    script = Path(f"script_{len(list(Path().iterdir()))}", "job.py").absolute()
    script.parent.mkdir()  # of its own: it is read when the job runs
    script.write_text(code)
    with Path("output.log").open("wb") as output:
        process = server.fork([sys.executable, str(script), *words], environment, output)
    assert process is not None
    return process


def test_a_job_sees_nothing_of_another(server: JobServer, tmp_path: Path) -> None:
    found: list[dict[str, Any]] = []
    for number in range(3):
        environment = {"OF_ONE_JOB": "one"} if number == 1 else {}
        process = forked(server, JOB, str(number), **environment)
        assert process.wait() == 0, Path("output.log").read_text()
        found.append(json.loads(Path("output.log").read_text()))
        assert found[-1]["ids"] == [process.pid, os.getpid(), process.pid]
    first, second, third = found
    assert [each["variable"] for each in found] == [None, "one", None]
    assert [each["words"] for each in found] == [["0"], ["1"], ["2"]]
    assert first["random"] != third["random"]
    assert len({each for job in found for each in job["random"]}) == 6
    own = ("words", "variable", "random", "ids")
    same = [{key: each[key] for key in each.keys() - set(own)} for each in found]
    assert same[0] == same[1] == same[2]
    assert first["folder"] == str(tmp_path)
    assert first["handlers"] == [signal.SIG_DFL, signal.SIG_DFL]
    assert first["interrupt"]
    assert first["open"] == [0, 1, 2]
    assert first["input"] == ""
    assert (first["cuda"], first["attribute"], first["loaded"]) == (False, False, True)
    assert second["uri"] == first["uri"] != "sqlite:////changed.db"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('a message')", 1),
        ("raise MemoryError", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os; os._exit(7)", 7),
        ("import threading, time; threading.Thread(target=lambda: print('late')).start()", 0),
        ("import atexit; atexit.register(print, 'at the end')", 0),
    ],
)
def test_a_job_ends_with_its_own_status_and_output(
    server: JobServer, code: str, status: int
) -> None:
    assert forked(server, code).wait() == status
    output = Path("output.log").read_text()
    for text in ("a message", "MemoryError", "late", "at the end"):
        assert (text in output) == (text.split("'")[0] in code), output


def test_a_job_prints_nothing_but_its_own(server: JobServer) -> None:
    with Path("output.log").open("wb") as output:
        process = server.fork([*JOB_COMMAND, "missing"], {}, output)
        assert process is not None
        assert process.wait() == 1
    message = Path("output.log").read_text()
    assert message.startswith("Error: missing holds no job of Sightline"), message


def test_a_killed_server_takes_no_job_with_it_and_is_started_again(server: JobServer) -> None:
    waiting = """
import pathlib, time
while pathlib.Path(".").exists() and not pathlib.Path("go").exists(): time.sleep(0.01)
"""
    first = forked(server, waiting)
    assert server._process is not None
    server._process.kill()
    second = forked(server, "print('from a new server')")
    assert second.wait() == 0
    assert first.poll() is None
    Path("go").touch()
    assert first.wait() == 0


def test_the_list_of_processes_shows_a_jobs_command(server: JobServer) -> None:
    process = forked(server, "import time; time.sleep(600)", "the/folder of it")
    wait_for(lambda: "job.py the/folder of it" in _words(psutil.Process(process.pid)))
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_a_server_ends_with_its_sweep(server: JobServer) -> None:
    """The system closes the socket of a sweep that is killed."""
    assert forked(server, "").wait() == 0
    assert server._process is not None
    assert server._channel is not None
    server._channel.close()
    assert server._process.wait(60) == 0


def _words(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
