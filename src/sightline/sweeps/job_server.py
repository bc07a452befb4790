"""The process that a sweep's jobs are forked from: it loads the libraries once for all of them.

Started by `JobServer` as `python -m sightline.sweeps.job_server`. Its standard input is a socket; a
request is a job's command and variables as JSON, with the file of its output, and is answered by
the job's process id. It does nothing else, so that no job sees anything of another, and ends with
the sweep. CUDA is first used in the jobs.
"""

import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import sys
import time

import numpy as np

from sightline.io.forked import become, lead_session, run_main
from sightline.tracking.mlflow.databases import load_store

# What a job uses, also what it would import late, and the process that uploads.
PRELOADED = (
    "sightline.cli", "sightline.commands.job", "sightline.training.run",
    "sightline.training.logging.announce", "sightline.tracking.sender.process",
    "sightline.inference.pyfunc", "timm", "kornia.augmentation", "sklearn.datasets",
    "pyarrow.pandas_compat",
)  # fmt: skip
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the sweep handles them


def main() -> None:
    """Load the libraries, and serve; in a process that was forked, run the job."""
    channel = socket.socket(fileno=os.dup(0))
    for signum in IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(name)
    load_store()
    gc.collect()
    gc.freeze()  # else each job's first collection copies all of the memory that they share
    command = _serve(channel)
    if command is not None:
        random.seed()
        np.random.seed()
        run_main(lambda: _run(command))


def _serve(channel: socket.socket) -> list[str] | None:
    """Fork for each request: the command, in a job; None in the server, once the sweep is gone."""
    while True:
        data, descriptors, *_ = socket.recv_fds(channel, 1 << 20, 1)
        if not data:
            return None
        if os.fork() == 0:
            between = os.getpid()
            if os.fork():
                os._exit(0)  # the sweep adopts the job, which no end of the server touches
            while os.getppid() == between:
                time.sleep(0.0005)
            for signum in IGNORED:
                signal.signal(signum, signal.SIG_DFL)
            lead_session()
            channel.send(str(os.getpid()).encode())  # from now on the sweep sends signals
            request = json.loads(data)
            source = os.open(os.devnull, os.O_RDONLY)
            become(request["command"], [source, *descriptors * 2], request["environment"])
            return list(request["command"])
        os.wait()
        os.close(descriptors[0])


def _run(command: list[str]) -> None:
    """Run `python -m MODULE ...` or `python FILE ...` in this process."""
    if command[1] == "-m":
        sys.argv = command[2:]
        sys.modules.pop(command[2], None)  # Python warns of a program that was imported before
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command[1:]
        runpy.run_path(command[1], run_name="__main__")


if __name__ == "__main__":
    main()
