"""Secrets of a run: none is in anything that it leaves on disk, in MLflow or on the terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from support import failing_loss
from support.commands import QUICK, Sightline
from support.secret_texts import SECRETS

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.io.forked import ForkedProcess
from sightline.io.redaction import redacted
from sightline.runs.folder import RunFolder
from sightline.runs.hidden import VARIABLE, environment_for, with_hidden_values
from sightline.sweeps.forked_jobs import JobServer
from sightline.sweeps.process import start
from sightline.sweeps.slots import Slot
from sightline.sweeps.sweep import SweepJob
from sightline.tracking.mlflow.tags import ERROR
from sightline.tracking.sender.launch import SenderProcess

PLUGIN = "failing_loss"  # a copy: the package `support` holds the secrets, and would be logged
LOSS = f"_target_: {PLUGIN}.FailingLoss\ntrigger: ???\napi_key: ???\nnote: ???\n"
OF_VARIABLES = {"MY_API_TOKEN": "plain-secret-of-a-variable", "DB_PASSWORD": "p4ssw0rd-of-it"}


SEARCH = """
import json, pathlib, sys
secrets, files = json.load(sys.stdin)
contents = {file: pathlib.Path(file).read_bytes() for file in files}
print(json.dumps([(each, file) for file in files for each in secrets
                  if each.encode() in contents[file]]))
"""


def left(secrets: list[str], folders: list[Path]) -> list[tuple[str, Path]]:
    """Each secret with the file that holds it.

    Another process reads them: one that closes SQLite's file loses its locks on it (POSIX), and
    the database of the session's store would be written by two at once.
    """
    files = [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    done = subprocess.run([sys.executable, "-c", SEARCH], input=json.dumps([secrets, files]),
                          capture_output=True, text=True, check=True)  # fmt: skip
    return [(secret, Path(file)) for secret, file in json.loads(done.stdout)]


def test_a_run_leaves_none(
    sightline: Sightline, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OF_VARIABLES.items():
        monkeypatch.setenv(name, value)
    work, trigger, site = Path.cwd(), tmp_path / "trigger", tmp_path / "site"
    trigger.touch()
    site.mkdir()
    shutil.copy(failing_loss.__file__, site)
    monkeypatch.syspath_prepend(str(site))
    (work / "configs/loss").mkdir(parents=True)
    (work / "configs/loss/failing.yaml").write_text(LOSS)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    (work / "notes.txt").write_text("none yet\n")
    for words in (["init", "-q"], ["add", "notes.txt"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    texts = [text for text, _ in SECRETS.values()] + list(OF_VARIABLES.values())
    (work / "notes.txt").write_text("\n".join(texts))
    note = " ".join([*OF_VARIABLES.values(), SECRETS["uri"][0], SECRETS["openai"][0]])
    words = [
        "train", "--config-dir", "configs", *QUICK, f"plugins=[{PLUGIN}]", "loss=failing",
        f"loss.trigger={trigger}", f"loss.note='{note}'",
        f"loss.api_key={SECRETS['huggingface'][0]}",
        f"tracking.run_name='of {SECRETS['github'][0]}'", "hydra.run.dir=runs/it",
        "trainer.max_epochs=2", "+trainer.limit_train_batches=3", "+trainer.limit_val_batches=2",
        "+trainer.limit_test_batches=2", "tuning.calibrate=false",
    ]  # fmt: skip
    secrets = [secret for _, secret in SECRETS.values()] + list(OF_VARIABLES.values())
    with pytest.raises(RuntimeError, match="the service refused"):
        sightline(*words)
    folders = [work / "runs", Path(store.removeprefix("sqlite:///")).parent]
    assert left(secrets, folders) == []
    assert stat.S_IMODE((work / "runs/it").stat().st_mode) == 0o700
    diff = (work / "runs/it/provenance/git.diff").read_text()
    assert diff.count("***") >= len(SECRETS)
    assert "-none yet" in diff
    assert (work / "runs/it/checkpoints/last.ckpt").is_file()

    # What is needed to go on is given again by the same command, and compared without the secrets.
    refused = sightline("train", "resume=runs/it", f"plugins=[{PLUGIN}]")
    assert refused.status == 1
    assert "what *** stands for is not kept; give this argument again" in refused.err
    trigger.unlink()
    done = sightline(*words)
    assert done.status == 0, done.err
    assert done.run.info.status == "FINISHED"
    assert "***" in done.run.info.run_name
    assert done.run.data.tags.get(ERROR, "") == ""
    assert left(secrets, folders) == []
    assert not [each for each in secrets if each in done.out + done.err]


def test_the_processes_of_a_job_get_what_its_file_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain, _ = compose_job(["seed=1"])
    words = ["data.train=https://bob:hunter2@h/a.tar", "data.val=b.tar", "data.test=c.tar"]
    secret, _ = compose_job(["data=webdataset", *words, "data.class_names=[a,b]"])
    assert environment_for([plain]) == {}
    given = environment_for([plain, secret])
    assert list(given) == [VARIABLE]
    stored = redacted(json.loads(secret.model_dump_json(by_alias=True)))
    frozen = type(secret).model_validate(stored)
    assert frozen.data["train"] == "https://***@h/a.tar"
    with pytest.raises(UserError, match=r"holds \*\*\* in place of a secret"):
        with_hidden_values(frozen)
    assert with_hidden_values(frozen, [plain, secret]).data == secret.data
    monkeypatch.setenv(VARIABLE, given[VARIABLE])
    assert with_hidden_values(frozen).data == secret.data
    assert with_hidden_values(plain) is plain
    monkeypatch.setenv(VARIABLE, environment_for([secret])[VARIABLE].replace("a.tar", "b.tar"))
    with pytest.raises(UserError, match="in place of a secret"):  # another config's
        with_hidden_values(frozen)
    assert os.environ[VARIABLE]


def test_no_other_user_sees_the_secrets_of_a_jobs_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments are everybody's to read (`ps`); the environment is the owner's alone."""
    monkeypatch.chdir(tmp_path)
    words = ["data.train=https://bob:hunter2@h/a.tar", "data.val=b.tar", "data.test=c.tar",
             "tracking.uri=http://alice:s3cret@h", "data.class_names=[a,b]"]  # fmt: skip
    config, job = compose_job(["data=webdataset", *words, f"hydra.run.dir={tmp_path}/run"])
    (tmp_path / "run").mkdir()
    started: list[tuple[list[str], dict[str, str]]] = []

    class Started:
        pid, stdin, stdout = 1, io.BytesIO(), io.BytesIO()

        def __init__(self, command: list[str], env: dict[str, str], **_: object) -> None:
            started.append((command, env))

    monkeypatch.setattr(subprocess, "Popen", Started)

    class Recording(JobServer):
        def fork(
            self, command: Sequence[str], environment: Mapping[str, str], output: object
        ) -> ForkedProcess:
            started.append((list(command), dict(environment)))
            return ForkedProcess(1)

    start(0, SweepJob(config, job, RunFolder(tmp_path / "run")), Slot({}), Recording({}))
    SenderProcess(config.tracking, RunFolder(tmp_path / "run"))
    assert len(started) == 2
    for command, environment in started:
        assert "s3cret" in environment["MLFLOW_TRACKING_PASSWORD"]
        assert not [word for word in command if "hunter2" in word or "s3cret" in word]
    assert "hunter2" in started[0][1][VARIABLE]
    left_there = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in left_there if b"s3cret" in path.read_bytes()]
    assert stat.S_IMODE(Path("/proc/self/environ").stat().st_mode) == 0o400
