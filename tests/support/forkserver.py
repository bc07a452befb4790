"""A server that has imported torch, Lightning and MLflow, and forks the processes of tests.

`python -m support.forkserver DESCRIPTOR FIGURES`, started by `support.forked.forking`. Requests are
lines of JSON, with the standard descriptors of the new process, on a Unix socket; it is answered by
the process's id. Each forked process has a server of its own, forked at its beginning, for the
processes that it starts. A server ends with its caller.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

from sightline.io.forked import run_main, show
from support.forked import ENTRY_POINTS, ForkedPopen, ForkServer

PRELOADED = (
    "torch", "torchvision", "pytorch_lightning", "torchmetrics", "timm", "mlflow",
    "mlflow.store.tracking.sqlalchemy_store", "alembic.command", "hydra", "sklearn.metrics",
    "scipy.stats", "matplotlib.pyplot", "kornia", "pandas", "pyarrow.parquet", "mlflow.cli",
    "mlflow.server.fastapi_app", "uvicorn.main",
)  # fmt: skip
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)  # meant for the caller
STARTED_WITH = dict(os.environ)


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request; returns in the processes that were forked, with what to become."""
    while True:
        data, descriptors, *_ = socket.recv_fds(channel, 1 << 20, 3)
        if not data:
            os._exit(0)  # the caller is gone
        if os.fork() == 0:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == between:
                time.sleep(0.0005)
            channel.send(str(os.getpid()).encode())
            channel.close()
            return json.loads(data), descriptors
        os.wait()
        for descriptor in descriptors:
            os.close(descriptor)


def _next_process(channel: socket.socket) -> tuple[dict[str, Any], list[int], socket.socket]:
    """What to become, in a process that has a server of its own, to which the socket leads."""
    while True:
        request, descriptors = _serve(channel)
        if request["new_session"]:
            os.setsid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        starts_none = "sightline.tracking.sender.process" in request["main"]
        if starts_none or os.fork():
            theirs.close()
            return request, descriptors, ours
        ours.close()
        for descriptor in descriptors:
            os.close(descriptor)
        channel = theirs


def _become(
    request: dict[str, Any], descriptors: list[int], server: socket.socket, figures: Path
) -> None:
    """Take a request's place: arguments, environment, folder, descriptors, signals."""
    import numpy
    import torch

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # Text streams know whether their descriptor can seek: these are other files now.
    # Where they are replaced, the descriptors stay open.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for signum in IGNORED:
        usual = signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL
        signal.signal(signum, usual)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])
    ForkedPopen.server = ForkServer(lambda: server, STARTED_WITH, Path(os.devnull), figures)
    subprocess.Popen = ForkedPopen  # type: ignore[misc]
    environment = request["env"]
    for name in set(STARTED_WITH) - set(environment):
        os.environ.pop(name, None)  # what imports have set stays, as in a new process
    os.environ.update(environment)
    os.chdir(request["cwd"])
    main = request["main"]
    tempfile.tempdir = None  # it follows from the environment
    script = main[0] not in ("-m", "-c")
    first = str(Path(main[0]).resolve().parent) if script else str(Path.cwd())
    sys.path[: 1 + len(_python_path(STARTED_WITH))] = [first, *_python_path(environment)]
    if environment.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    random.seed()
    numpy.random.seed()
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    show(request["words"])


def _python_path(environment: dict[str, str]) -> list[str]:
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [str(Path(path).absolute()) for path in paths if path]


def _import_package() -> None:
    """Import all of Sightline; a warning of its own is an error, as in pytest's configuration."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"sightline\.")
        package = importlib.import_module("sightline")
        for found in pkgutil.walk_packages(package.__path__, "sightline."):
            if found.name not in ENTRY_POINTS:
                importlib.import_module(found.name)


def _run(main: list[str]) -> None:
    """Run it as the main module."""
    if main[0] == "-m":
        sys.argv = main[1:]
        runpy.run_module(main[1], run_name="__main__", alter_sys=True)
    elif main[0] == "-c":
        sys.argv = main[:1]
        exec(main[1], vars(types.ModuleType("__main__")))
    else:
        sys.argv = main
        runpy.run_path(main[0], run_name="__main__")


def main() -> None:
    """Import, serve, and run what a forked process is to run."""
    channel, figures = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])
    channel.set_inheritable(False)
    for signum in IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(name)
    _import_package()
    from support.figures import draw_each_form_once
    from support.warm_up import warm_up

    warm_up()
    gc.collect()
    gc.freeze()
    request, descriptors, server = _next_process(channel)
    _become(request, descriptors, server, figures)
    if request["main"][0] != "-c":  # pytest's own processes draw in each test what it wants
        draw_each_form_once(pytest.MonkeyPatch(), figures)
    run_main(lambda: _run(request["main"]))


if __name__ == "__main__":
    main()
