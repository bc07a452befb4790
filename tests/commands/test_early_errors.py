"""What is wrong with a command is said before PyTorch and MLflow are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm
from mlflow import MlflowClient
from support.commands import Sightline
from support.images import make_folder
from timm.models import get_deprecated_models

from sightline.config.timm_names import _names
from sightline.errors import UserError
from sightline.runs.known_names import check_run_name

IN_ONE_PROCESS = """
import sys
from sightline.cli import main
for line in sys.stdin:
    sys.argv = ["sightline", *line.split()]
    try:
        main()
    except SystemExit:
        pass
    heavy = {"torch", "mlflow", "timm", "sklearn"} & set(sys.modules)
    assert not heavy, (line, heavy)
"""


def test_wrong_names_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("Id,Crime\na,x\n")
    (tmp_path / "a.jpg").touch()
    wrong = {
        "train data=folder data.root=/nope": "/nope is not there",
        "train -m data=folder data.root=/nope seed=1,2": "/nope is not there",
        "train data=npz data.path=/nope.npz": "/nope.npz is not there",
        "train data=parquet data.path=/nope.parquet": "there is no Parquet file /nope.parquet",
        "train data=manifest data.path=m.csv": "m.csv has 3 problems",
        "train data.split_file=/nope.csv": "data.split_file=/nope.csv",
        "train model=timm model.name=resnet1888": "Did you mean 'resnet18'",
        "train model=resnet18": "model=timm model.name=resnet18",
        "train model=timm model.pretrained_path=/nope.pth": "no file /nope.pth",
        "train optimizer.lrr=1": "Did you mean 'optimizer.lr'",
        "train resume=nope": "resume=nope",
        "doctor data=folder data.root=/nope": "/nope is not there",
        "prefetch model.name=resnet1888": "Did you mean 'resnet18'",
        "evaluate run=nope": "no MLflow store",
        "predict run=nope.ckpt input=x output=y.csv": "no checkpoint nope.ckpt",
        "reproduce run=nope": "no MLflow store",
        "export run=nope format=onnx output=x.onnx": "no MLflow store",
        "soup runs=[nope,nope] output=x.ckpt": "no MLflow store",
        "show nope": "no MLflow store",
    }
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS], cwd=tmp_path, text=True, capture_output=True,
        input="\n".join(wrong), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    messages = done.stderr.split("Error: ")[1:]
    assert len(messages) == len(wrong), done.stderr
    for (words, part), message in zip(wrong.items(), messages, strict=True):
        assert part in message, words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "m.csv"]


def test_timms_names_are_those_of_its_files() -> None:
    known, former = _names()
    assert known == set(timm.list_models())
    assert former == {name.partition(".")[0] for name in get_deprecated_models()}


def test_names_of_runs_in_a_local_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    run_id = client.create_run("0", run_name="widths").info.run_id
    for name in ("widths", run_id, run_id[:6], f"runs:/{run_id}", "latest", "best:val/accuracy"):
        check_run_name(name, uri)
    with pytest.raises(UserError, match=r"run=width: no such .* Did you mean 'widths'"):
        check_run_name("width", uri)
    with pytest.raises(UserError, match="no run with this id"):
        check_run_name("0" * 32, uri)


def test_all_problems_of_a_manifest(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "photos", {"a": 2})
    table = tmp_path / "photos" / "m.csv"
    table.write_text("Id,Crime,age\na/000,theft,3\na/000,fraud,4\na/001,none,5\n")
    done = sightline("train", "data=manifest", f"data.path={table}", "data.group_column=person")
    assert done.status == 1
    for part in (
        "5 problems", "The values of 'Id', such as 'a/000', name images: data.image_column=Id",
        "data.image_suffix=.png", "data.group_column=person", "no column of labels",
        "'a/000' in rows 1 and 2",
    ):  # fmt: skip
        assert part in done.err, done.err
    assert "Did you mean 'Crime'" not in done.err
