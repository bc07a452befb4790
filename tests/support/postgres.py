"""A PostgreSQL of the tests' own: on loopback, in a temporary folder, as an unprivileged user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from support.ports import unused_port

# Read when this is imported: the session has temporary files of its own, which are root's alone.
MACHINES = tempfile.gettempdir()
PASSWORD = "p@ss/w:rd%41"  # every character that an address gives a meaning to


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "initdb").is_file()), None)


class Postgres:
    """Started on entering, ended and removed on leaving."""

    def __enter__(self) -> Postgres:
        binaries = _binaries()
        if binaries is None:
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql (.ci/setup does)")
        self.port = unused_port()
        self.folder = Path(tempfile.mkdtemp(prefix="sightline-postgres-", dir=MACHINES))
        user = "nobody" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if user:
            shutil.chown(self.folder, user)
        (self.folder / "password").write_text(PASSWORD)
        data = self.folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "alice", "--auth=scram-sha-256", "-N",
             f"--pwfile={self.folder / 'password'}", "-E", "UTF8", "--locale=C"],
            user=user, cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", self.folder, "-h", "127.0.0.1",
                 "-p", str(self.port), "-F", "-N", "200"],
                user=user, cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)  # a fast end
        self.process.wait(60)
        shutil.rmtree(self.folder)

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        import psycopg

        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.uri(name)

    def uri(self, name: str) -> str:
        return f"postgresql://alice:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{name}"

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.uri("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
