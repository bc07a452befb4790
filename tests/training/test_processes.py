"""What only a process of its own can show: signals, several ranks, a wheel, many first starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from support.commands import ONE_THREAD, SMALL, client_of, finish, start, wait_for_line
from support.data_sets import make_shards
from support.differences import run_differences
from support.images import make_folder
from support.soak import COMMAND, kill_all

from sightline.predictions import Predictions

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.usefixtures("ready_store")
@pytest.mark.parametrize(
    ("signum", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="int"),
        pytest.param(signal.SIGTERM, 143, id="term"),
    ],
)
def test_a_signal_saves_and_ends_as_killed(
    tmp_path: Path, signum: signal.Signals, status: int, request: pytest.FixtureRequest
) -> None:
    """The signal goes to the whole group, as a terminal and a cluster send it: workers too.

    SIGINT, which Python itself handles in a new interpreter, goes to one.
    """
    if signum == signal.SIGINT:
        request.getfixturevalue("new_processes")
    make_folder(tmp_path / "photos", {"cat": 40, "dog": 40})
    data = ["data=folder", "data.root=photos", "data.num_workers=2", "data.batch_size=8"]
    process = start(tmp_path, "train", *SMALL, *data, "trainer.max_epochs=1000")
    wait_for_line(process, "epoch    2/1000")
    os.killpg(process.pid, signum)
    code, _, err = finish(process)
    assert code == status, err
    assert "Traceback" not in err
    client = client_of(tmp_path)
    [run] = client.search_runs(["1"])
    assert run.info.status == "KILLED"
    assert run.info.end_time is not None
    names = {item.path for item in client.list_artifacts(run.info.run_id, "checkpoints")}
    assert names == {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}


@pytest.mark.usefixtures("ready_store")
def test_a_killed_run_is_the_same_in_the_end(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The runs of `make soak` are killed at random moments; a new interpreter resumes this one."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    code, _, err = finish(start(tmp_path, *COMMAND, f"hydra.run.dir={whole}"))
    assert code == 0, err
    process = start(tmp_path, *COMMAND, f"hydra.run.dir={parts}")
    wait_for_line(process, "epoch 2/4")
    kill_all(process.pid, with_sender=True)
    assert finish(process)[0] == -signal.SIGKILL
    request.getfixturevalue("new_processes")
    code, out, err = finish(start(tmp_path, *COMMAND, f"hydra.run.dir={parts}"))
    assert code == 0, err
    assert "training: resumes in epoch" in out
    assert run_differences(tmp_path, whole, parts) == []


@pytest.mark.usefixtures("ready_store")
def test_an_unforeseen_error_ends_as_failed(tmp_path: Path) -> None:
    (tmp_path / "broken_plugin.py").write_text(
        "from torch import nn\n"
        "class Broken(nn.Module):\n"
        "    def __init__(self, num_classes: int):\n"
        "        super().__init__()\n"
        "        self.weight = nn.Parameter(__import__('torch').zeros(1))\n"
        "    def forward(self, x):\n"
        "        if len(x) > 2:  # a batch of the training\n"
        "            raise RuntimeError('the plugin broke')\n"
        "        return self.weight * x.mean() + x.new_zeros(len(x), 10)\n"
    )
    configs = tmp_path / "configs" / "model"
    configs.mkdir(parents=True)
    (configs / "broken.yaml").write_text("_target_: broken_plugin.Broken\n")
    process = start(
        tmp_path, "train", "--config-dir", "configs", "model=broken", "plugins=[broken_plugin]",
        PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    code, _, err = finish(process)
    assert code == 1
    assert "the plugin broke" in err
    [run] = client_of(tmp_path).search_runs(["1"])
    assert run.info.status == "FAILED"
    assert "the plugin broke" in run.data.tags["error"]


@pytest.mark.usefixtures("ready_store")
def test_two_ranks_evaluate_each_sample_once(tmp_path: Path) -> None:
    """359 test samples on two processes: the sampler pads, the tables do not.

    Started by `trainer=ddp` itself; tests/test_ranks.py and test_slurm.py have the other ways. A
    signal to one of them stops both, with one checkpoint; the same command goes on with both.
    """
    common = ["train", *SMALL, "trainer.max_epochs=2", "tracking.system_metrics_interval_s=null"]
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "data.batch_size=16",
           f"hydra.run.dir={tmp_path}/two"]  # fmt: skip
    process = start(tmp_path, *common, *two)
    wait_for_line(process, "epoch 1/2")
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 143, err
    client = client_of(tmp_path)
    [run] = client.search_runs(["1"])
    assert run.info.status == "KILLED"
    code, out, err = finish(start(tmp_path, *common, *two))
    assert code == 0, err
    assert "resumes in epoch 2" in out
    [run] = client.search_runs(["1"])
    history = client.get_metric_history(run.info.run_id, "val/loss")
    assert [point.step for point in history] == [0, 1]
    assert run.info.status == "FINISHED"
    assert out.count("epoch 2/2") == out.count("MLflow run:") == 1
    table = Predictions.read(tmp_path / "two" / "predictions" / "test.parquet")
    assert len(table) == len(set(table.ids)) == 359
    counted = (table.probs.argmax(axis=1) == table.targets).mean()
    assert run.data.metrics["test/accuracy"] == pytest.approx(counted, abs=1e-6)


@pytest.mark.usefixtures("ready_store")
def test_two_ranks_share_a_stream(tmp_path: Path) -> None:
    """41 samples in 3 shards: 20 steps of 1 on each rank, whatever shards each has."""
    make_shards(tmp_path / "s", {"train": [20, 15, 6], "val": [9], "test": [9]})
    code, _, err = finish(start(
        tmp_path, "train", *SMALL, "trainer.max_epochs=2", "data=webdataset", "label_mode=binary",
        *(f"data.{name}={tmp_path}/s/{name}-*.tar" for name in ("train", "val", "test")),
        "data.class_names=[even,odd]", "data.batch_size=1", "data.num_workers=1",
        "tracking.system_metrics_interval_s=null",
        "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2",
    ))  # fmt: skip
    assert code == 0, err
    client = client_of(tmp_path)
    [run] = client.search_runs(["1"])
    assert run.info.status == "FINISHED"
    table = Predictions.read(
        Path(client.download_artifacts(run.info.run_id, "predictions/test.parquet"))
    )
    assert len(table) == len(set(table.ids)) == 9
    [last] = tmp_path.glob("runs/*/*/checkpoints/last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == 2 * 20


def test_first_starts_at_the_same_moment_all_work(tmp_path: Path) -> None:
    quick = ["train", *SMALL, "trainer.max_epochs=1", "tracking.system_metrics_interval_s=null"]
    processes = [start(tmp_path, *quick, f"seed={seed}") for seed in range(4)]
    for process in processes:
        code, _, err = finish(process)
        assert code == 0, err
    runs = client_of(tmp_path).search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert len({run.data.tags["run_folder"] for run in runs}) == 4


def test_a_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """Built, installed into an environment of its own, trained from an empty folder.

    The dependencies are this environment's, by a path: installing torch anew takes minutes.
    """
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path / "dist", ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "fresh", with_pip=False)
    python = tmp_path / "fresh" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "-q", wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    site = next((tmp_path / "fresh" / "lib").glob("python*/site-packages"))
    dependencies = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    (site / "dependencies.pth").write_text(str(dependencies))
    empty = tmp_path / "empty"
    empty.mkdir()
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "PYTHONPATH")
    }
    done = subprocess.run(
        [python.parent / "sightline", "train", "experiment=digits_cnn", *SMALL,
         "trainer.max_epochs=1"],
        cwd=empty, env=inherited | ONE_THREAD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [python, "-c", "import sightline; print(sightline.__file__)"],
        cwd=empty, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
    assert {path.name for path in empty.iterdir()} >= {"mlflow.db", "mlartifacts", "runs"}
    [run] = client_of(empty).search_runs(["1"])
    assert run.info.status == "FINISHED"
