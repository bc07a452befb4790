"""What is wrong with a command is said before PyTorch and MLflow are imported."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest
import timm
from huggingface_hub import HfApi
from huggingface_hub.errors import OfflineModeIsEnabled
from lightning_fabric.plugins.precision.precision import (
    _PRECISION_INPUT_STR,
    _PRECISION_INPUT_STR_ALIAS,
)
from mlflow import MlflowClient
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.strategies import StrategyRegistry
from support.commands import Sightline
from support.images import make_folder
from timm.models import get_deprecated_models
from torchvision import datasets

from sightline.config.compose import compose_job
from sightline.config.timm_names import _names
from sightline.config.trainer_words import WORDS
from sightline.data.sources.hub_names import check_hub_name
from sightline.data.sources.torchvision_names import data_set_names
from sightline.errors import UserError
from sightline.runs.known_names import check_run_name
from sightline.training.early_checks import check_early

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


class HubWithoutDataSets(BaseHTTPRequestHandler):
    """A hub that has no repository."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one run, called widths, that has not finished."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    MlflowClient(uri).create_run("0", run_name="widths")
    return uri


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), HubWithoutDataSets) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_wrong_names_import_nothing_heavy(tmp_path: Path, store: str, hub: str) -> None:
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
        "train model.kernel_size=5": "needs a plus: +model.kernel_size=VALUE",
        "train monitor=val/acuracy": "Did you mean 'val/accuracy'",
        "train trainer.accumulate_grad_batches=0": "accumulate_grad_batches=0: expected a whole",
        "train trainer.gradient_clip_val=-1": "gradient_clip_val=-1: expected a number over 0",
        "train monitor=val/ece": "no such metric is computed at a validation",
        "train trainer.precision=foo": "Lightning has no such precision",
        "train trainer.accelerator=cqu": "Did you mean 'cpu'",
        "train +trainer.strategy=dpp": "Did you mean 'dp' or 'ddp'",
        "train trainer.devices=foo": "how many devices",
        "train data=torchvision data.name=CIFAR11": "Did you mean 'CIFAR10'",
        "train data=torchvision data.name=MNIST data.root=/nope": "data.root=/nope",
        "train data=huggingface data.name=./nope": "data.name=./nope",
        "train data=huggingface data.name=a/b/c": "data.name=a/b/c",
        "train data=huggingface data.name=nobody/nothing": "the hub has no such data set",
        "train data=webdataset data.train=/nope-{0..3}.tar data.val=v data.test=t "
        "data.class_names=[a,b]": "data.train: there is no shard /nope-0.tar",
        "train data=webdataset data.train=a.jpg data.val=/nope*.tar data.test=t "
        "data.class_names=[a,b]": "data.val: there is no shard /nope*.tar",
        "train resume=nope": "resume=nope",
        "doctor data=folder data.root=/nope": "/nope is not there",
        "prefetch model.name=resnet1888": "Did you mean 'resnet18'",
        "evaluate run=nope": "no MLflow store",
        "evaluate run=widths data.root=/nope tracking.uri=STORE": "data.root=/nope: /nope is not",
        "evaluate run=widths data.path=/nope.csv tracking.uri=STORE": "data.path=/nope.csv",
        "predict run=nope.ckpt input=x output=y.csv": "no checkpoint nope.ckpt",
        "reproduce run=nope": "no MLflow store",
        "export run=nope format=onnx output=x.onnx": "no MLflow store",
        "soup runs=[nope,nope] output=x.ckpt": "no MLflow store",
        "show nope": "no MLflow store",
        "predict run=latest input=x output=y.csv tracking.uri=STORE": "no finished train",
        "evaluate run=best:val/nope tracking.uri=STORE": "one of Sightline's metrics",
        "evaluate run=best:val/accuracy tracking.uri=STORE": "with the metric val_best/",
        "evaluate run=models:/nope@new tracking.uri=STORE": "no such registered model",
        "evaluate run=models:/nope tracking.uri=STORE": "expected models:/NAME@ALIAS",
        "predict run=widths input=/nope output=y.csv tracking.uri=STORE": "input=/nope",
        "features run=widths input=/nope* output=y.parquet tracking.uri=STORE": "no file",
    }
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS], cwd=tmp_path, text=True, capture_output=True,
        input="\n".join(wrong).replace("STORE", store), check=False,
        env=os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path.parent / "hub")},
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


def test_names_of_other_libraries_are_their_own() -> None:
    classes = {name for name, each in vars(datasets).items() if inspect.isclass(each)}
    assert data_set_names() == classes
    precisions = {*get_args(_PRECISION_INPUT_STR), *get_args(_PRECISION_INPUT_STR_ALIAS)}
    assert set(WORDS["precision"]) == {"auto", *precisions}
    assert set(WORDS["accelerator"]) >= {
        "auto",
        "gpu",
        *AcceleratorRegistry.available_accelerators(),
    }
    assert set(WORDS["strategy"]) >= {"auto", *StrategyRegistry.available_strategies()}


@pytest.mark.parametrize(
    ("error", "message"),
    [(ConnectionError("no route"), r"cannot be reached \(no route\), and it was not fetched"),
     (OfflineModeIsEnabled("set"), "HF_HUB_OFFLINE is set"), (TimeoutError("slow"), None),
     (None, None)],
)  # fmt: skip
def test_a_hub_that_does_not_answer(
    error: Exception | None, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*arguments: object, **options: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(HfApi, "dataset_info", answer)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    with nullcontext() if message is None else pytest.raises(UserError, match=message):
        check_hub_name("My-Org/Data_set1")
    (tmp_path / "my-org___data_set1").mkdir()
    check_hub_name("My-Org/Data_set1")


def test_names_of_runs_in_a_local_store(store: str) -> None:
    client = MlflowClient(store)
    [run] = client.search_runs(["0"])
    run_id = run.info.run_id
    for name in ("widths", run_id, run_id[:6], f"runs:/{run_id}"):
        check_run_name(name, store)
    with pytest.raises(UserError, match=r"run=width: no such .* Did you mean 'widths'"):
        check_run_name("width", store)
    with pytest.raises(UserError, match="no run with this id"):
        check_run_name("0" * 32, store)
    client.log_metric(run_id, "val_best/accuracy", 0.5)
    client.set_terminated(run_id, "FINISHED")
    for name in ("latest", "best:val/accuracy"):
        check_run_name(name, store)


@pytest.mark.parametrize("label", ["label", "kind"])
def test_how_a_table_was_read_is_said_once(
    label: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the training, which reads it again; here only beside an error."""
    make_folder(tmp_path, {"a": 2}, (4, 4))
    table = tmp_path / "m.csv"
    table.write_text(f"sep=;\n# v2\nimage;{label}\na/000.png;x\na/001.png;y\n")
    config = compose_job(["data=manifest", f"data.path={table}"])[0]
    said = "m.csv: read with semicolons between columns, as its line sep= says; 1 comment line (#)"
    if label == "label":
        check_early(config)
        assert not caplog.records
    else:
        with pytest.raises(UserError, match="no column of labels"):
            check_early(config)
        assert caplog.text.count(said) == 1


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
