"""`sightline runs`: how runs stand, which are gone, and that those are marked truthfully."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from support.commands import Sightline

from sightline.commands import run_command
from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import MetricsRecord, RunRecord, StatusRecord
from sightline.runs.lock import run_lock
from sightline.runs.lock_owner import LockOwner, lock_owner
from sightline.runs.printed_list import fit
from sightline.runs.resume import check_resumable, check_same_data


def make_run(folder: Path, status: str | None, epochs: int = 2) -> Path:
    """What a training of which so many epochs are told leaves in its folder."""
    config, job = compose_job([f"hydra.run.dir={folder}", "tracking.offline=true"])
    RunFolder(folder).freeze(config, job, {"train": "1", "val": "2", "test": "3"})
    if status is not None:
        journal = JournalWriter(folder / "tracking" / "journal.jsonl")
        journal.append(RunRecord(name=f"name of {folder.name}", tags={}))
        for epoch in range(epochs):
            journal.append(MetricsRecord(metrics={"train/loss": 1.0}, step=epoch))
        journal.append(StatusRecord(status=status), sync=True)
        journal.close()
    return folder


def abandon(folder: Path, slurm_job: str | None = None) -> None:
    """The lock of a process that was killed."""
    code = ("import sys; from pathlib import Path; from sightline.runs.lock import run_lock\n"
            "import os, signal\n"
            "with run_lock(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)")  # fmt: skip
    environment = os.environ | ({"SLURM_JOB_ID": slurm_job} if slurm_job else {})
    done = subprocess.run([sys.executable, "-c", code, folder], env=environment, check=False)
    assert done.returncode == -9
    assert lock_owner(folder) is not None


def tags_of(folder: Path) -> dict[str, str]:
    return RunFolder(folder).state.tags


def read_status(folder: Path) -> str | None:
    return RunFolder(folder).status


def test_runs_are_listed_and_those_that_are_gone_are_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = make_run(tmp_path / "finished", "FINISHED")
    waiting = make_run(tmp_path / "waiting", None)
    living = make_run(tmp_path / "living", "RUNNING", epochs=7)
    killed = make_run(tmp_path / "killed", "RUNNING")
    abandon(killed)
    lost = make_run(tmp_path / "lost", "RUNNING")  # nobody holds it
    with run_lock(living):
        assert run_command("runs", [str(tmp_path)]) == 0
        out = capsys.readouterr().out
        for words in ("FINISHED", "WAITING", "RUNNING", "7/20", "name of living", "but gone"):
            assert words in out
        assert "2 of them are RUNNING, but gone" in out
        assert read_status(killed) == "RUNNING"
        assert run_command("runs", [str(tmp_path), "--reap"]) == 0
    states = [read_status(each) for each in (finished, waiting, living, killed, lost)]
    assert states == ["FINISHED", None, "RUNNING", "FAILED", "FAILED"]
    assert "is gone; last sign of life" in tags_of(killed)["reaped"]
    assert "no process works in its folder" in tags_of(lost)["error"]
    assert run_command("runs", [str(tmp_path)]) == 0
    assert "gone: `--reap`" in capsys.readouterr().out  # `living` ended without a word by now


@pytest.mark.parametrize(
    ("state", "status"),
    [("CANCELLED", "KILLED"), ("TIMEOUT", "FAILED"), ("PENDING", "RUNNING"), ("", "FAILED"),
     ("RUNNING", "RUNNING")],
)  # fmt: skip
def test_slurm_says_what_became_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, status: str
) -> None:
    """Its commands stand in for it here; `test_slurm.py` asks a real one."""
    folder = make_run(tmp_path / "run", "RUNNING")
    abandon(folder, slurm_job="77")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("squeue", "sacct"):
        (commands / name).write_text(f"#!/bin/sh\necho '{state}'\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    assert run_command("runs", [str(tmp_path), "--reap"]) == 0
    assert read_status(folder) == status
    if status != "RUNNING":
        assert "Slurm job 77" in tags_of(folder)["reaped"]


def test_without_slurm_its_jobs_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", "RUNNING")
    abandon(folder, slurm_job="77")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_command("runs", [str(tmp_path), "--reap"]) == 0
    assert "Slurm is not on this machine" in capsys.readouterr().out
    assert read_status(folder) == "RUNNING"


def test_a_marked_run_is_marked_in_mlflow_too(sightline: Sightline) -> None:
    done = sightline("train", "trainer.max_epochs=1", "model.widths=[4]", "model.hidden=8",
                     "tracking.system_metrics_interval_s=null")  # fmt: skip
    journal = JournalWriter(done.folder / "tracking" / "journal.jsonl")
    journal.append(StatusRecord(status="RUNNING", time_ms=0), sync=True)
    journal.close()
    reaped = sightline("runs", str(done.folder), "--reap", tracked=False)
    assert reaped.status == 0, reaped.err
    assert reaped.run.info.status == "FAILED"
    assert "no process works" in reaped.run.data.tags["reaped"]


def test_a_journal_of_another_version_is_listed_beside_the_other_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "good", "FINISHED")
    future = make_run(tmp_path / "future", "FINISHED")
    text = b'{"op":"audio","time_ms":1}'
    with (future / "tracking" / "journal.jsonl").open("ab") as journal:
        journal.write(b"%08x %s\n" % (zlib.crc32(text), text))
    assert run_command("runs", [str(tmp_path)]) == 0
    out = capsys.readouterr().out
    [line] = [line for line in out.splitlines() if line.startswith("UNREADABLE")]
    assert "future" in line
    assert "the operation 'audio'" in line
    assert "ago" not in line
    assert "name of good" in out


def test_runs_are_chosen_sorted_and_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"a": 0.5, "b": 0.25}.items():
        journal = JournalWriter(make_run(tmp_path / name, "FINISHED") / "tracking/journal.jsonl")
        journal.append(MetricsRecord(metrics={"val_best/loss": value}, step=1), sync=True)
        journal.close()
    make_run(tmp_path / "c", "FAILED")
    listed: dict[str, list[str]] = {}
    for words in (["sort=val"], ["sort=name", "status=finished"], ["name=*c"], ["data=other"]):
        assert run_command("runs", [str(tmp_path), *words]) == 0
        out = capsys.readouterr().out
        listed[words[0]] = re.findall(r"name of (\w)", out)
    assert listed == {"sort=val": ["b", "a", "c"], "sort=name": ["a", "b"], "name=*c": ["c"],
                      "data=other": []}  # fmt: skip
    assert "that fit, of 3 runs" in out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "45")
    assert run_command("runs", [str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 45
    assert "loss 0.2500" in "".join(lines)


def test_a_narrow_terminal_keeps_the_id_and_the_beginning_of_a_name() -> None:
    def table() -> dict[str, list[str]]:
        cells = {"STATUS": "FINISHED", "ID": "dfca1934", "VAL": "loss 0.1447"}
        cells |= {"TEST": "loss 0.1633", "DATA": "digits", "RUN": "cnn s0 " + "x" * 60}
        return {name: [value] for name, value in cells.items()}

    seen = {}
    for width in (130, 80, 50, 40):
        seen[width] = table()
        fit(seen[width], width)
        assert sum(max(len(k), len(v[0])) + 2 for k, v in seen[width].items()) - 2 <= max(width, 54)
    assert seen[130] == table()
    assert list(seen[80]) == ["STATUS", "ID", "VAL", "TEST", "RUN"]
    assert seen[80]["RUN"][0].startswith("cnn s0 x")
    assert seen[80]["RUN"][0].endswith("…")
    assert list(seen[50]) == ["STATUS", "VAL", "RUN"]


def test_misuse_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("runs", [str(tmp_path)]) == 0
    assert "no runs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        run_command("runs", ["--kill"])
    assert "'--kill': expected one of --reap" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run_command("runs", [str(tmp_path), str(tmp_path)])
    with pytest.raises(UserError, match="no such folder"):
        run_command("runs", [str(tmp_path / "nothing")])


def test_a_run_is_worked_on_by_one_process(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match="two processes cannot work")
    with run_lock(tmp_path), refused, run_lock(tmp_path):
        raise AssertionError
    abandon(tmp_path)
    with run_lock(tmp_path):
        pass
    elsewhere = LockOwner("node7", "node7 other", 1, 0.0, "a", None)
    (tmp_path / "alive.json").write_text(elsewhere.to_json())
    with pytest.raises(UserError, match=r"process 1 on node7"), run_lock(tmp_path):
        raise AssertionError
    long_ago = time.time() - 1000
    os.utime(tmp_path / "alive.json", (long_ago, long_ago))
    with run_lock(tmp_path):
        pass


def test_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    frozen = RunFolder(make_run(tmp_path / "run", "KILLED")).frozen
    assert frozen is not None
    config = frozen.config
    more = config.model_copy(update={"trainer": config.trainer | {"max_epochs": 99}})
    check_resumable(frozen, more, {})
    other = config.model_copy(update={"model": config.model | {"hidden": 3}})
    with pytest.raises(UserError, match=r"model\.hidden: \d+ there, 3 now"):
        check_resumable(frozen, other, {})
    with pytest.raises(UserError, match=r"a run of Sightline 0\.0\.1"):
        check_resumable(replace(frozen, version="0.0.1"), config, {})
    check_same_data(frozen, {"train": "1", "val": "2", "test": "3"})
    with pytest.raises(UserError, match="changed since it began: val"):
        check_same_data(frozen, {"train": "1", "val": "x", "test": "3"})
    path = tmp_path / "run" / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({"version": "9.9", "config": facts["config"]}))
    with pytest.raises(UserError, match=r"not a run of this Sightline .* 9\.9"):
        assert RunFolder(tmp_path / "run").frozen
