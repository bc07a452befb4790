"""A stranger's run whose files name the stranger's own server: it gets no credentials."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from support.commands import Sightline
from support.runs import Trained

from sightline.io.sealed import read_sealed, write_sealed
from sightline.runs.folder import RunFolder


class StrangersServer:
    """Answers 403 to everything, and keeps what it was sent to prove who asks."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers.get("Authorization"))
                self.send_response(403)
                self.end_headers()

            do_POST = do_PUT = do_GET

            def log_message(self, *words: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[StrangersServer]:
    server = StrangersServer()
    yield server
    server.stop()


@pytest.fixture
def strangers(
    trained: Callable[[str], Trained], tmp_path: Path, server: StrangersServer
) -> RunFolder:
    """A copy of a finished run that was uploaded to the stranger's server, all but its end."""
    folder = RunFolder(tmp_path / "strangers")
    shutil.copytree(trained("binary").folder, folder.path)
    position = {key: value for key, value in folder.upload.position().items() if key != "files"}
    folder.upload.write_position(position | {"uri": server.uri})
    destination = read_sealed(folder.upload.folder / "store.json")
    write_sealed(folder.upload.folder / "store.json", destination | {"uri": server.uri})
    (folder.upload.folder / "place.json").unlink()
    frozen = read_sealed(folder.path / "run.json")
    frozen["config"]["tracking"]["uri"] = server.uri
    frozen["arguments"] = [f"tracking.uri={server.uri}"]
    write_sealed(folder.path / "run.json", frozen)
    config = folder.path / "config/config.yaml"
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(values | {"tracking": values["tracking"] | {
        "uri": server.uri}}))  # fmt: skip
    return folder


@pytest.mark.parametrize("command", [
    "sync {0}", "evaluate run={0}", "predict run={0} input={0} output=out.csv",
    "compare runs=[{0}]", "reproduce run={0}", "train resume={0}", "job {0}",
])  # fmt: skip
def test_a_strangers_address_gets_nothing(
    command: str, sightline: Sightline, strangers: RunFolder, server: StrangersServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.lab")
    monkeypatch.setattr("sightline.runs.locked_folder.LockedFolder.check_original", lambda _: None)
    done = sightline(*command.format(strangers).split(), tracked=False)
    assert done.status == 1, done.out + done.err
    assert server.asked == []
    assert f"names the store {server.uri}" in done.err
    assert "https://mlflow.lab" in done.err
    assert "Traceback" not in done.err
    assert "t0ken" not in done.out + done.err


def test_an_address_that_the_command_names_gets_them(
    sightline: Sightline, strangers: RunFolder, server: StrangersServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    monkeypatch.setattr("sightline.runs.locked_folder.LockedFolder.check_original", lambda _: None)
    done = sightline("sync", str(strangers), f"tracking.uri={server.uri}", tracked=False)
    assert done.status == 1
    assert "refuses access (HTTP status 403)" in done.err
    assert server.asked == ["Bearer t0ken"]


def test_configs_of_a_strangers_folder_do_not_put_secrets_into_an_address(
    sightline: Sightline, strangers: RunFolder, server: StrangersServer, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("WIFI_KEY", "hunter2")
    (tmp_path / "configs/experiment").mkdir(parents=True)
    text = f"# @package _global_\ntracking:\n  uri: {server.uri}/${{oc.env:WIFI_KEY}}\n"
    (tmp_path / "configs/experiment/evil.yaml").write_text(text)
    facts = json.loads((strangers.path / "run.json").read_text())
    del facts["digest"]
    facts["arguments"] = ["experiment=evil", f"--config-dir={tmp_path}/configs"]
    write_sealed(strangers.path / "run.json", facts)
    done = sightline("train", f"resume={strangers}", tracked=False)
    assert done.status == 1
    assert "an interpolation" in done.err
    assert server.asked == []
