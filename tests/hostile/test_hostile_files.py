"""Hostile files and requests: what they declare is checked first, and nothing of ours is opened."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from mlflow.exceptions import MlflowException
from PIL import EpsImagePlugin, Image

from sightline.commands import ui
from sightline.config.options import read_options
from sightline.data.sources.npz import read_npz
from sightline.data.sources.webdataset import read_webdataset
from sightline.data.tables.files import existing_file, read_table
from sightline.errors import UserError
from sightline.inference.model import LoadedModel
from sightline.inference.pyfunc import SightlinePyfunc
from sightline.io import declared_size
from sightline.io.folders import PRIVATE, make_folder
from sightline.metrics.tuning import Tuning
from sightline.models.weight_file import read_weight_file
from sightline.paths import image_cache_dir
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Section, Table
from sightline.runs.folder import RunFolder
from sightline.runs.journal.records import ArtifactRecord
from sightline.tracking.mlflow.artifacts import upload_file
from sightline.tracking.mlflow.errors import UploadError
from sightline.training.rerun import _read_yaml
from sightline.types import PreprocessSpec

HTML = "<img src=x onerror=alert(1)>\"'&<script>"


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One MiB of memory is free, for bombs of a few MiB."""
    free = SimpleNamespace(available=2**20)
    monkeypatch.setattr(declared_size.psutil, "virtual_memory", lambda: free)


def test_bombs_are_refused_by_what_they_declare(tmp_path: Path, little_memory: None) -> None:
    zeros = np.zeros((8, 1024, 1024), np.uint8)
    np.savez_compressed(tmp_path / "bomb.npz", train_images=zeros, train_labels=np.zeros(8, int))
    rows = pa.table({"path": pa.array(["x"] * 2_000_000).dictionary_encode(), "n": [0] * 2_000_000})
    pq.write_table(rows, tmp_path / "bomb.parquet")
    long = pa.chunked_array([["x" * 1000] * 4000])  # one value of a dictionary, for many rows
    nested = pa.StructArray.from_arrays([pa.array(["x" * 1000] * 4000)], ["path"])
    for name, column in (("long", long), ("nested", nested)):
        table = pa.table({"path": column, "n": [0] * 4000})
        pq.write_table(table, tmp_path / f"{name}.parquet", compression="zstd")
    torch.save({"state_dict": {"a": torch.zeros(2**20)}}, tmp_path / "plain.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "plain.ckpt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    for name, read in (
        ("bomb.npz", lambda path: read_npz(False, path, None)),
        ("bomb.parquet", lambda path: read_table(Path(path))),
        ("long.parquet", lambda path: read_table(Path(path))),
        ("nested.parquet", lambda path: read_table(Path(path))),
        ("bomb.ckpt", lambda path: read_weight_file(Path(path))),
    ):
        path = tmp_path / name
        assert path.stat().st_size < 200_000
        with pytest.raises(UserError, match=rf"{name} declares .* GiB of content"):
            read(str(path))


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.json", b"[" * 100_000, "nested too deep"),
    ("a.json", b"[" + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]", "nested too deep"),
    ("a.jsonl", b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deep"),
    ("a.json", b'[{"path":"\\ud800"}]', "cannot be read"),
    ("a.csv", b"\xff\xfea\x00,\x00b", "cannot be read"),
    ("a.csv", b"\xff\xfe\x00\xd8\x00\xd8", "cannot be read"),
])  # fmt: skip
def test_a_table_that_is_none_is_refused_in_words(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_table(tmp_path / name)


def test_what_is_there_and_is_no_file_is_not_called_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), ("/dev/zero", "dev")):
        with pytest.raises(UserError, match=f"key=.* is .*{kind}.*, not a file"):
            existing_file(str(path), "key")
    with pytest.raises(UserError, match=r"/pip is not there\. Did you mean 'pipe'"):
        existing_file(str(tmp_path / "pip"), "key")


def write_shard(path: Path, files: dict[str, bytes], mode: Literal["w", "w:gz"] = "w") -> str:
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(("kind", "label"), [
    ("cls", b"\xff"), ("cls", b"9" * 5000), ("cls", b""), ("json", b"[1]"), ("json", b"{"),
    ("json", b"[" * 100_000), ("json", b'{"k": {"a": 1}}'), ("json", b'{"k": null}'),
    ("json", b'{"k": 0.5}'), ("json", b"\xff"), ("json", b'{"k": [[0]]}'),
])  # fmt: skip
def test_a_label_in_a_shard_is_one_or_is_refused_in_words(
    tmp_path: Path, kind: str, label: bytes
) -> None:
    shard = write_shard(tmp_path / "x.tar", {"a.png": b"", f"a.{kind}": label})
    key = "k" if kind == "json" else None
    with pytest.raises(UserError, match=r"x\.tar, sample 'a'"):
        read_webdataset(False, shard, shard, shard, ["a", "b"], key, 1, 1)


def test_a_shard_that_declares_more_than_there_is(tmp_path: Path, little_memory: None) -> None:
    content = {"a.png": bytes(2**22), "a.cls": b"0"}
    shard = write_shard(tmp_path / "x.tar", content, "w:gz")
    assert Path(shard).stat().st_size < 10_000
    with pytest.raises(UserError, match=r"x\.tar: a\.png declares"):
        read_webdataset(False, shard, shard, shard, ["a"], None, 1, 1)


def test_members_of_shards_are_not_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = io.BytesIO()
    Image.new("L", (8, 8)).save(image, "PNG")
    folder = tmp_path / "work" / "inner"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with tarfile.open(folder / "x.tar", "w") as tar:
        for key in ("../../evil", "/tmp/evil-of-sightline", "plain"):
            for ending, content in (("png", image.getvalue()), ("cls", b"0")):
                entry = tarfile.TarInfo(f"{key}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = set(tmp_path.rglob("*"))
    shards = str(folder / "x.tar")
    data = read_webdataset(False, shards, shards, shards, ["a", "b"], None, None, 1)
    assert [data.splits["val"].images.read(i).size for i in range(3)] == [(8, 8)] * 3  # type: ignore[union-attr]
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil-of-sightline.png").exists()


def test_tags_of_yaml_build_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / "config.yaml"
    file.write_text(f"a: !!python/object/apply:os.system ['touch {mark}']\n")
    with pytest.raises(UserError, match="is not plain YAML"):
        _read_yaml(file, dict)
    file.write_text("[" * 5000)
    with pytest.raises(UserError, match="is not plain YAML"):
        _read_yaml(file, dict)
    assert not mark.exists()


def test_names_are_text_in_pages() -> None:
    table = Table("t", HTML, [HTML], [[HTML]])
    html = render_page(
        Page(
            HTML,
            HTML,
            {HTML: HTML},
            [table],
            [Section(HTML, HTML, [table])],
            [HTML],
            verdict=[HTML],
        )
    )
    assert html.count("<script>") == 1  # the sorter
    assert "<img src=x" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") >= 8


def test_a_tuning_is_nested_once() -> None:
    tuning = Tuning(2.0, parts=(Tuning(1.5), Tuning(1.7)))
    assert Tuning.from_dict(tuning.to_dict()) == tuning
    nested: dict[str, Any] = {"temperature": 1.0}
    for _ in range(5000):
        nested = {"temperature": 1.0, "parts": [nested]}
    cycle: dict[str, Any] = {"temperature": 1.0}
    cycle["parts"] = [cycle]
    for values in (nested, cycle, {"parts": [[1]]}):
        with pytest.raises(ValueError, match="has parts itself, or is no mapping"):
            Tuning.from_dict(values)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n"


class Model:
    """The reading of a loaded model, without its network."""

    preprocess = PreprocessSpec(8, 1, (0.5,), (0.25,))

    def logits_of(self, images: list[Any]) -> np.ndarray:
        from sightline.data.reading.decode import Reading
        from sightline.inference.image_objects import read_object

        return np.array([[np.asarray(read_object(each, Reading())).mean()] for each in images])

    def decisions(self, calibrated: bool) -> Any:
        return SimpleNamespace(rows_of_logits=lambda each: pa.table({"prob": each[:, 0]}))


def test_a_served_model_opens_no_path_and_answers_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "abcd.png")
    monkeypatch.chdir(tmp_path)
    served = SightlinePyfunc()
    served.model = Model()
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    bomb = base64.b64encode(huge.getvalue()).decode()
    opened: list[str] = []
    own_open = open

    def spy(file: Any, *words: Any, **more: Any) -> Any:
        opened.append(str(file))
        return own_open(file, *words, **more)

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", pytest.fail)  # no program reads an image
    monkeypatch.setattr("builtins.open", spy)
    monkeypatch.setattr("io.open", spy)
    hostile = [
        str(tmp_path / "abcd.png"), "abcd.png", "abcd", "/etc/passwd", "file:///etc/passwd", "",
        b"", "http://127.0.0.1:9/x.png", bomb, deep, [[1, 2], [3]], [], {"a": 1}, None, 2**70, -1,
        POSTSCRIPT, [[300]], [[0.5]], "é", np.zeros((2, 2, 2, 2, 2), np.uint8), True,
    ]  # fmt: skip
    for value in hostile:
        opened.clear()
        with pytest.raises(MlflowException):
            served.predict(pd.DataFrame({"image": pd.Series([value], dtype=object)}))
        assert not [name for name in opened if "abcd" in name or "passwd" in name]
    for frame in (pd.DataFrame({"x": [1]}), pd.DataFrame({"image": []})):
        with pytest.raises(MlflowException, match="column 'image'"):
            served.predict(frame)
    assert len(served.predict(pd.DataFrame({"image": [[[0, 255], [1, 2]]]}))) == 1
    assert LoadedModel.logits_of is not Model.logits_of


def test_a_journal_names_files_of_its_run_alone(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    run = tmp_path / "run"
    run.mkdir()
    (run / "link").symlink_to(tmp_path / "secret")
    store: Any = None
    for name in ("../secret", str(tmp_path / "secret"), "link"):
        with pytest.raises(UploadError, match="is not in the run's folder"):
            upload_file(store, RunFolder(run), "1", ArtifactRecord(path=name), None)


def test_clearing_the_cache_leaves_what_is_not_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sightline.data.cache.listing import clear_cache

    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    folder = image_cache_dir()
    folder.mkdir(parents=True)
    own = {f"{'0a' * 16}.npy", f"{'0a' * 16}.json"}
    foreign = {"notes.txt", "array.npy", "settings.json", "holiday.npy", "holiday.json"}
    for name in own | foreign:
        (folder / name).write_text(json.dumps({"name": "x", "shape": [1]}))
    (folder / "outside.npy").symlink_to(tmp_path / "target.npy")
    for key in ("../", "*", "/"):
        with pytest.raises(UserError, match="nothing is cached"):
            clear_cache([key])
    clear_cache([])
    assert {path.name for path in folder.iterdir()} == {*foreign, "outside.npy"}


@pytest.mark.parametrize(("words", "host"), [
    ([], ["--host", "127.0.0.1"]), (["--port", "5001"], ["--host", "127.0.0.1"]),
    (["--host", "0.0.0.0"], ["--host", "0.0.0.0"]), (["--host=0.0.0.0"], ["--host=0.0.0.0"]),
])  # fmt: skip
def test_the_ui_listens_on_loopback_and_shows_no_password(
    words: list[str], host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: called.append(command))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://bob:hunter2@h/x")
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "")
    ui.run(read_options(words, ui.UiOptions, "", "anything"))
    assert [word for word in called[0] if "host" in word or word.count(".") == 3] == host
    assert "hunter2" not in " ".join(called[0])


def test_a_runs_folder_is_its_owners(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    make_folder(tmp_path / "runs" / "new", PRIVATE)
    assert mode(tmp_path / "runs" / "new") == 0o700
    assert mode(tmp_path / "runs") != 0o700  # others' runs may stand in it
    (tmp_path / "empty").mkdir(mode=0o755)
    make_folder(tmp_path / "empty", PRIVATE)
    assert mode(tmp_path / "empty") == 0o700
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "own.txt").touch()
    make_folder(shared, PRIVATE)
    assert mode(shared) == 0o755
