"""The address of MLflow's UI on this machine: that of the `sightline ui` which serves a store."""

import hashlib
import json
import socket
from pathlib import Path

import psutil

from sightline.io.atomic import write_atomically
from sightline.paths import cache_dir

HOST, FIRST_PORT = "127.0.0.1", 5000
TRIED = 20  # ports


def free_port() -> int:
    """The first port from 5000 on that nothing on this machine listens at."""
    for port in range(FIRST_PORT, FIRST_PORT + TRIED):
        with socket.socket() as tried:
            if tried.connect_ex((HOST, port)) != 0:
                return port
    return FIRST_PORT


def note_server(uri: str, port: int, pid: int) -> None:
    """Record which process serves a store's pages, and where."""
    path = _record(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"port": port, "pid": pid}))


def served_at(uri: str) -> str | None:
    """The address at which a `sightline ui` serves a store now; None where none does."""
    try:
        found = json.loads(_record(uri).read_text())
        command = psutil.Process(int(found["pid"])).cmdline()
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return f"http://{HOST}:{found['port']}" if "ui" in command else None


def _record(uri: str) -> Path:
    digest = hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()
    return cache_dir() / "ui" / f"{digest}.json"
