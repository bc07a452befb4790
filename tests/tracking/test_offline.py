"""A login node fetches weights; a compute node without network trains, evaluates and predicts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import ONE_THREAD
from support.images import make_folder

from sightline.cli import main

# Python runs a module of this name in every process that finds it: loaders and senders too.
SITECUSTOMIZE = """
import os, socket
def _refuse(*arguments, **options):
    with open(os.environ["ATTEMPTS"], "a") as log:
        log.write(f"{os.getpid()} {arguments}\\n")
    raise OSError("no network here")
_connect = socket.socket.connect
def connect(self, address):
    return _connect(self, address) if self.family == socket.AF_UNIX else _refuse(address)
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = connect
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = _refuse
"""

COMMANDS = """
import sys
from sightline.cli import main
def run(*words):
    sys.argv = ["sightline", *words]
    status = main()
    assert status == 0, words
run("train", "model=timm", "model.name=test_resnet", "model.pretrained=true", "model.img_size=32",
    "data=folder", "data.root=photos", "data.num_workers=1", "data.cache=none",
    "trainer.max_epochs=1")
from pathlib import Path
[checkpoint] = Path("runs").rglob("best.ckpt")
run("evaluate", f"run={checkpoint.parent.parent}", "split=val")
run("predict", f"run={checkpoint.parent.parent}", "input=photos", "output=out.csv", "num_workers=1")
import sightline
import socket
assert len(sightline.load(checkpoint).predict("photos")) == 48
try:
    socket.create_connection(("127.0.0.1", 9))
except OSError as error:
    assert "no network here" in str(error)
else:
    raise AssertionError("the network is not blocked")
"""


@pytest.mark.usefixtures("ready_store")
def test_prefetched_weights_are_found_without_network(
    hub: tuple[str, list[str]],
    tmp_path: Path,
) -> None:
    address, requested = hub
    make_folder(tmp_path / "photos", {"cat": 24, "dog": 24})
    (tmp_path / "pyproject.toml").touch()
    inherited = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "CI")}
    home = inherited | ONE_THREAD | {"HF_HOME": str(tmp_path / "home")}
    fetched = subprocess.run(
        [sys.executable, "-m", "sightline.cli", "prefetch", "model.name=test_resnet"],
        cwd=tmp_path, env=home | {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fetched.returncode == 0, fetched.stderr
    file = Path(fetched.stdout.split(": ")[1].split(" (")[0])
    assert file.is_relative_to(tmp_path / "home")
    assert file.is_file()
    assert f"HF_HOME={tmp_path / 'home'} HF_HUB_OFFLINE=1" in fetched.stdout
    before = len(requested)

    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(SITECUSTOMIZE)
    path = os.pathsep.join(filter(None, [str(blocked), os.environ.get("PYTHONPATH")]))
    attempts = tmp_path / "attempts.txt"
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], cwd=tmp_path, capture_output=True, text=True,
        check=False, env=home | {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "1",
                                 "PYTHONPATH": path, "ATTEMPTS": str(attempts)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(requested) == before
    tried = attempts.read_text().splitlines()
    assert len(tried) == 1, tried  # the script's own, that shows that it is blocked


def test_what_has_no_weights_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {
        "Did you mean 'resnet18'": ["model.name=resnet81"],
        "no pretrained weights": ["model=cnn"],
        "there is nothing to fetch": ["model.name=resnet18", "model.pretrained_path=a.pth"],
    }
    for said, words in cases.items():
        monkeypatch.setattr(sys, "argv", ["sightline", "prefetch", *words])
        assert main() == 1
        assert said in capsys.readouterr().err
