"""Run folders in which a stranger put anything in the place of a file."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.runs import Trained

from sightline import __version__
from sightline.config.compose import compose_job
from sightline.errors import DamagedError, UserError
from sightline.io.sealed import read_sealed, write_sealed
from sightline.io.stored_text import MOST_BYTES
from sightline.runs.folder import RunFolder
from sightline.runs.frozen import Frozen, read_frozen, write_frozen
from sightline.runs.journal.file import read_journal
from sightline.runs.journal.records import ArtifactRecord
from sightline.runs.journal.upload import UploadState
from sightline.runs.listing import list_runs
from sightline.runs.lock_owner import read_owner
from sightline.runs.place import FILE as PLACE_FILE
from sightline.runs.printed_list import print_runs
from sightline.tracking.mlflow.artifacts import upload_file
from sightline.tracking.mlflow.errors import UploadError

FILES = ("run.json", "results.json", "alive.json", "tracking/journal.jsonl", "tracking/sent.json",
         "tracking/store.json", f"tracking/{PLACE_FILE}")  # fmt: skip
DEEP = b"[" * 100_000


def crc_line(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def put(path: Path, kind: str) -> None:
    """Replace a file."""
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":  # without a writer, it would be waited for
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "huge":
            with path.open("wb") as stream:
                stream.truncate(MOST_BYTES + 1)  # zeros, that take no room on the disk
        case "deep":
            path.write_bytes(crc_line(DEEP) if path.suffix == ".jsonl" else DEEP)
        case "not text":
            path.write_bytes(b"\xff\xfe\x00")
        case "another kind":
            path.write_text('{"pid": "x", "space": [], "host": 1, "uri": 5, "path": {}}')


KINDS = ("pipe", "device", "folder", "loop", "huge", "deep", "not text", "another kind")


@pytest.mark.parametrize("name", FILES)
def test_a_list_of_runs_is_whole_and_ends(
    trained: Callable[[str], Trained], tmp_path: Path, name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One folder of each kind, and a sound one."""
    run = trained("binary")
    for kind in (*KINDS, "sound"):
        folder = tmp_path / kind.replace(" ", "_")
        for part in ("run.json", "results.json", "tracking"):
            source = run.folder / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            folder.mkdir(exist_ok=True)
            copy(source, folder / part)
        if kind != "sound":
            put(folder / name, kind)
    runs = list_runs(tmp_path)
    print_runs(runs, tmp_path)
    assert "sound" in capsys.readouterr().out
    statuses = {each.folder.path.name: each.status for each in runs}
    assert statuses["sound"] == "FINISHED"


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_stored_file_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.json"
    put(path, kind)
    with pytest.raises((DamagedError, OSError)):
        read_sealed(path)


@pytest.mark.parametrize("pid", ["x", -1, 0, 2**70, None, [1], 1.5])
def test_an_owner_that_is_no_process(tmp_path: Path, pid: object) -> None:
    facts = {"host": "h", "space": "s", "pid": pid, "started": 0.0, "token": "t", "slurm_job": None}
    (tmp_path / "alive.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="is damaged; remove it if no run works"):
        read_owner(tmp_path)


@pytest.mark.parametrize(("key", "value"), [
    ("choices", {"data": {}}), ("choices", {"scheduler": 1.5}), ("overrides", [1.5]),
    ("command", None), ("arguments", "text"), ("sweep", {}), ("data", []), ("version", 3),
])  # fmt: skip
def test_a_run_file_of_other_kinds_is_refused_in_words(
    tmp_path: Path, key: str, value: object
) -> None:
    config, job = compose_job(["tracking.uri=sqlite:///x.db"])
    path = tmp_path / "run.json"
    write_frozen(path, Frozen(config, job, __version__, {}))
    facts = json.loads(path.read_text())
    assert read_frozen(path) is not None
    write_sealed(path, {k: v for k, v in facts.items() if k != "digest"} | {key: value})
    with pytest.raises(UserError, match=f"is not a run of this Sightline.*{key}"):
        read_frozen(path)


def test_the_position_of_other_kinds_is_damage(tmp_path: Path) -> None:
    upload = UploadState(tmp_path)
    upload.write_position({"run_id": "abc", "experiment_id": "1", "uri": "sqlite:///x.db"})
    assert upload.location is not None
    for wrong in (True, 1.5, ["abc"], {}):
        upload.write_position({"run_id": wrong, "experiment_id": "1", "uri": "sqlite:///x.db"})
        assert upload.position() == {}
        assert upload.location is None


def test_a_record_that_is_nested_deep_is_left_out(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(crc_line(DEEP) + crc_line(b'{"op": "status", "status": "FAILED", "t": 1}'))
    with pytest.raises(UserError, match="the field 't'"):  # the second one was read
        list(read_journal(journal))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_uploaded(tmp_path: Path, kind: str) -> None:
    put(tmp_path / "notes.txt", kind)
    record = ArtifactRecord(path="notes.txt", time_ms=1)
    with pytest.raises(UploadError, match=r"is no regular file|is not in the run's folder"):
        upload_file(None, RunFolder(tmp_path), "1", record, None)  # type: ignore[arg-type]
