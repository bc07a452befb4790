"""`sightline predict`: every kind of input and output, what training stored, interruptions."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from support.commands import ONE_THREAD, SIGHTLINE, Sightline
from support.runs import MODES, Trained

from sightline import load
from sightline.errors import UserError
from sightline.inference.partial_table import PartialTable
from sightline.predictions import Predictions

Train = Callable[[str], Trained]


def predict(sightline: Sightline, run: Trained | Path, *words: str) -> pd.DataFrame:
    """Run the command and read what it wrote."""
    which = run.run_id if isinstance(run, Trained) else str(run)
    store = [f"tracking.uri={run.store}"] if isinstance(run, Trained) else []
    done = sightline("predict", f"run={which}", *store, *words, tracked=False)
    assert done.status == 0, done.err
    output = Path(next(w for w in words if w.startswith("output=")).removeprefix("output="))
    assert not list(output.parent.glob("*.partial"))
    assert not list(output.parent.glob(".*.partial"))
    if output.suffix == ".csv":
        return pd.read_csv(output, keep_default_na=False, na_values=[""])
    if output.suffix == ".jsonl":
        lines = output.read_text(encoding="utf-8").splitlines()
        return pd.DataFrame([json.loads(line) for line in lines])
    return pq.read_table(output).to_pandas()


def probs_of(table: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    return table[[f"prob_{name}" for name in names]].to_numpy(dtype=np.float64)


def refused(sightline: Sightline, *words: str) -> str:
    """What the command says as it refuses; nothing is left in its folder."""
    before = set(Path().rglob("*"))
    done = sightline("predict", *words, tracked=False)
    assert done.status == 1
    assert "Traceback" not in done.err
    assert set(Path().rglob("*")) == before
    return done.err


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_uncalibrated_it_repeats_what_training_stored(
    sightline: Sightline, trained: Train, mode: str, ending: str
) -> None:
    run = trained(mode)
    stored = Predictions.read(run.folder / "predictions" / "test.parquet")
    words = [f"input={run.root}", f"output=out.{ending}", "calibrated=false", "batch_size=7"]
    table = predict(sightline, run, *words)
    joined = table.set_index("id").loc[stored.ids]
    assert (joined["path"] == [f"{run.root}/{name}" for name in stored.ids]).all()
    np.testing.assert_allclose(probs_of(joined, stored.class_names), stored.probs, atol=1e-6)
    assert joined["error"].isna().all()
    if mode == "multilabel":
        decided = [json.loads(p) if ending == "csv" else list(p) for p in joined["pred"]]
        expected = [[n for n, p in zip(stored.class_names, row, strict=True) if p > 0.5]
                    for row in stored.probs]  # fmt: skip
    else:
        decided = joined["pred"].tolist()
        expected = [stored.class_names[i] for i in stored.probs.argmax(axis=1)]
    assert decided == expected


def test_every_kind_of_input_gives_the_same(
    sightline: Sightline, trained: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained("multiclass")
    names = sorted(p.relative_to(run.root).as_posix() for p in run.root.glob("test/cat/*"))
    expected = probs_of(load(run.checkpoint).predict([run.root / n for n in names]),
                        ("bird", "cat", "dog"))  # fmt: skip
    Path("list.csv").write_text("file,other\n" + "".join(f"{n},1\n" for n in names))
    Path("list.tsv").write_text("which\tother\n" + "".join(f"{n}\t1\n" for n in names))
    Path("list.jsonl").write_text("".join(json.dumps({"image": n}) + "\n" for n in names))
    pq.write_table(pa.table({"path": names}), "list.parquet")
    contents = [(run.root / n).read_bytes() for n in names]
    pq.write_table(pa.table({"image": contents}), "bytes.parquet", row_group_size=5)
    cells = [{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)]
    pq.write_table(pa.table({"image": cells}), "cells.parquet", row_group_size=9)
    cases = {
        "folder": ["input=" + str(run.root / "test/cat"), f"root={run.root}"],
        "glob": [f"input={run.root}/test/c*/*.[jp]*g", f"root={run.root}"],
        "csv": ["input=list.csv", f"root={run.root}"],
        "tsv": ["input=list.tsv", f"root={run.root}", "image_column=which"],
        "jsonl": ["input=list.jsonl", f"root={run.root}"],
        "parquet": ["input=list.parquet", f"root={run.root}"],
        "stdin": ["input=-", f"root={run.root}"],
        "bytes": ["input=bytes.parquet"],
        "cells": ["input=cells.parquet", "image_column=image", "num_workers=2", "batch_size=4"],
    }
    for kind, words in cases.items():
        paths = "\n".join(str(run.root / name) for name in names)
        monkeypatch.setattr(sys, "stdin", io.StringIO(paths + "\n\n"))
        table = predict(sightline, run, *words, f"output=out_{kind}.parquet")
        found = probs_of(table, ("bird", "cat", "dog"))
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=kind)
        if kind not in ("bytes", "cells"):
            assert table["id"].tolist() == names, kind
    assert table["id"].tolist() == [f"cells/{i}/{Path(n).name}" for i, n in enumerate(names)]
    one = predict(sightline, run, f"input={run.root / names[0]}", "output=one.csv", "top_k=2")
    assert one["top_1"].tolist() == one["pred"].tolist()
    ranked = np.sort(expected[0])[::-1]
    np.testing.assert_allclose(one[["prob_top_1", "prob_top_2"]].to_numpy()[0], ranked[:2], 1e-5)


def test_a_bad_image_is_a_row(sightline: Sightline, trained: Train) -> None:
    run = trained("binary")
    good = run.root / "test" / "cat" / "001.jpg"
    folder = Path("images")
    folder.mkdir()
    (folder / "a.jpg").write_bytes(good.read_bytes())
    (folder / "b.jpg").write_bytes(good.read_bytes()[:300])
    (folder / "c.png").write_text("no image")
    (folder / "d.png").write_bytes(b"")
    np.save(folder / "e.npy", np.zeros((9, 9, 5), np.uint8))
    Image.new("L", (30, 30)).save(folder / "f.png")
    table = predict(sightline, run, "input=images", "output=out.csv")
    assert table["id"].tolist() == ["a.jpg", "b.jpg", "c.png", "d.png", "e.npy", "f.png"]
    assert table["error"].isna().tolist() == [True, False, False, False, False, True]
    assert table["pred"].isna().tolist() == [False, True, True, True, True, False]
    assert "5 channels, but the model takes 3" in table["error"][4]
    assert "the file is empty" in table["error"][3]
    nothing = refused(sightline, f"run={run.folder}", "input=images/b.jpg", "output=b.csv")
    assert "None of the 1 images can be used" in nothing
    assert "truncated" in nothing.lower()


def test_tuned_it_calibrates_and_decides_by_thresholds(
    sightline: Sightline, trained: Train, tmp_path: Path
) -> None:
    """Against the formula of temperature scaling, written out."""
    run = trained("multilabel")
    state = torch.load(run.checkpoint, weights_only=True)
    state["sightline"]["tuning"] = {"temperature": 2.5, "thresholds": [0.4, 0.7], "aim": "f1"}
    tuned = tmp_path / "tuned.ckpt"
    torch.save(state, tuned)
    words = [f"input={run.root / 'test'}"]
    plain = predict(sightline, tuned, *words, "output=plain.parquet", "calibrated=false")
    table = predict(sightline, tuned, *words, "output=tuned.parquet")
    raw = probs_of(plain, ("bird", "odd"))
    expected = 1 / (1 + np.exp(-np.log(raw / (1 - raw)) / 2.5))
    np.testing.assert_allclose(probs_of(table, ("bird", "odd")), expected, atol=1e-6)
    by_threshold = [[n for n, p, t in zip(("bird", "odd"), row, (0.4, 0.7), strict=True) if p > t]
                    for row in expected]  # fmt: skip
    assert [list(p) for p in table["pred"]] == by_threshold
    assert {tuple(p) for p in table["pred"]} != {tuple(p) for p in plain["pred"]}
    metadata = pq.read_schema("tuned.parquet").metadata
    assert metadata[b"decision_rule"] == b"tuned: bird over 0.4, odd over 0.7, fitted on val for f1"
    default = {"temperature": 2.5, "thresholds": [0.4, 0.7], "aim": "f1", "rule": "default"}
    state["sightline"]["tuning"] = default
    torch.save(state, tuned)
    done = predict(sightline, tuned, *words, "output=default.parquet")
    assert [list(p) for p in done["pred"]] == [list(p) for p in plain["pred"]]
    assert b"over 0.5" in pq.read_schema("default.parquet").metadata[b"decision_rule"]


def test_killed_it_goes_on_where_it_stopped(trained: Train, tmp_path: Path) -> None:
    run = trained("multiclass")
    images = sorted(run.root.rglob("*.png"))
    paths = [str(images[i % len(images)]) for i in range(8_000)]
    (tmp_path / "list.txt").write_text("\n".join(paths))
    command = [SIGHTLINE, "predict", f"run={run.checkpoint}", "input=-", "output=out.parquet",
               "num_workers=1"]  # fmt: skip

    def begin() -> subprocess.Popen[str]:
        with (tmp_path / "list.txt").open() as listed:
            return subprocess.Popen(
                command, cwd=tmp_path, env=os.environ | ONE_THREAD, text=True, stdin=listed,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

    partial = tmp_path / "out.parquet.partial"
    killed = begin()
    deadline = time.monotonic() + 120
    while not partial.exists() or partial.stat().st_size < 50_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "out.parquet").exists()
    with partial.open("ab") as torn:
        torn.write(b"\xff\xff\xff\xff\x10")
    again = begin()
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert "resuming from out.parquet.partial" in out
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["path"].to_pylist() == paths
    one = load(run.checkpoint).predict(images)
    whole = table.to_pandas()
    expected = np.resize(one["prob_cat"], len(paths))
    np.testing.assert_allclose(whole["prob_cat"], expected, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.txt", "out.parquet"]


def test_a_partial_file_is_of_its_own_rows_alone(tmp_path: Path) -> None:
    schema = pa.schema([("x", pa.int64())], metadata={"model": "a", "input": "b"})
    path = tmp_path / "t.partial"
    batch = pa.RecordBatch.from_pydict({"x": [1, 2, 3]}, schema=schema)
    with PartialTable(path, schema, discard=False) as partial:
        partial.append(batch)
        with pytest.raises(UserError, match="Another process"):
            PartialTable(path, schema, discard=False)
    whole = path.stat().st_size
    with PartialTable(path, schema, discard=False) as partial:
        partial.append(batch)
    longer = path.read_bytes()
    for cut in range(whole, len(longer)):  # wherever the process died
        path.write_bytes(longer[:cut])
        with PartialTable(path, schema, discard=False) as partial:
            assert partial.rows == 3
            assert path.stat().st_size == whole
    other = schema.with_metadata({"model": "z", "input": "b"})
    with pytest.raises(UserError, match="differs in: model"):
        PartialTable(path, other, discard=False)
    with PartialTable(path, other, discard=True) as partial:
        assert partial.rows == 0
    assert not path.exists()
    path.write_bytes(b"something else entirely" * 10)
    for discard in (True, False):  # somebody's own file, whatever becomes of the output
        with pytest.raises(UserError, match="none of Sightline's"):
            PartialTable(path, schema, discard)
    assert path.read_bytes() == b"something else entirely" * 10


def test_what_cannot_be_predicted_is_refused(sightline: Sightline, trained: Train) -> None:
    run = trained("multiclass")
    Path("empty").mkdir()
    Path("there.csv").write_text("mine")
    Path("table.csv").write_text("a,b\n1,2\n")
    image = f"input={run.root}/test/cat/000.png"
    known, output = f"run={run.folder}", "output=out.csv"
    store = f"tracking.uri={run.store}"
    cases = {
        "has no such run": ["run=0123", store, image, output],
        "There is no checkpoint": ["run=nowhere.ckpt", image, output],
        "no images in this folder": [known, "input=empty", output],
        "no such file or folder": [known, "input=nowhere", output],
        "no file matches": [known, "input=nowhere/*.png", output],
        "exists": [known, image, "output=there.csv"],
        "expected one of .csv": [known, image, "output=out.txt"],
        "no such column": [known, "input=table.csv", output],
        "Did you mean 'output'": [known, image, "ouput=out.csv"],
        "give output=...": [known, image],
        "expected at most the 3 classes": [known, image, output, "top_k=4"],
        "device=cuda:9": [known, image, output, "device=cuda:9"],
    }
    for said, words in cases.items():
        assert said in refused(sightline, *words), said
    assert Path("there.csv").read_text() == "mine"
    predict(sightline, run, image, "output=there.csv", "overwrite=true")


def test_python_answers_as_the_command_does(sightline: Sightline, trained: Train) -> None:
    run = trained("binary")
    table = predict(sightline, run, f"input={run.root}/test", "output=out.parquet")
    for which in (run.run_id, f"runs:/{run.run_id}", str(run.folder), run.checkpoint):
        model = load(which, uri=run.store if which != run.checkpoint else None)
        own = model.predict(run.root / "test")
        pd.testing.assert_frame_equal(own, table)
    missing = model.predict([run.root / "nowhere.png", run.root / "test/cat/000.png"])
    assert "no such file" in missing["error"][0]
    assert missing["pred"][1] in ("cat", "dog")
