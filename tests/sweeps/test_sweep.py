"""Sweeps from the command line: names of runs, selection by validation, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.cheap_job import summary, wait_for
from support.commands import QUICK, SMALL, Sightline, client_of, finish, start

from sightline.predictions import Predictions
from sightline.tracking.mlflow.views import view_key

FEW = ["data.test_fraction=0.4", "data.val_fraction=0.4", "trainer.max_epochs=1"]
QUIET = ["tracking.system_metrics_interval_s=null"]


def test_six_runs_can_be_told_apart(sightline: Sightline) -> None:
    Path("configs/model").mkdir(parents=True)
    tiny = "defaults: [timm]\nname: test_resnet\n"
    Path("configs/model/tiny.yaml").write_text(tiny)
    done = sightline(
        "train", "-m", "--config-dir", "configs", "model=cnn,tiny", "seed=1,2,3", *FEW, *QUIET,
        "optimizer.lr=0.01", "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert done.status == 0, done.err
    names = [run.data.tags["mlflow.runName"] for run in done.runs]
    assert len(set(names)) == 6
    assert len({name[:15] for name in names}) == 6 or len({name[:20] for name in names}) == 6
    assert {run.info.status for run in done.runs} == {"FINISHED"}
    assert {(run.data.params["model"], run.data.params["seed"]) for run in done.runs} == {
        (model, seed) for model in ("cnn", "test_resnet") for seed in ("1", "2", "3")
    }
    # All were evaluated on the same samples.
    assert len({run.data.params["data.digest.val"] for run in done.runs}) == 1
    folders = {run.data.tags["run_folder"] for run in done.runs}
    assert len(folders) == 6


def test_a_sweep_leaves_the_test_set_alone_unless_asked(sightline: Sightline) -> None:
    done = sightline("train", "-m", "seed=0,1", *QUICK, *FEW)
    assert done.status == 0, done.err
    for run in done.runs:
        assert not any(key.startswith("test/") for key in run.data.metrics)
        assert "val_best/accuracy" in run.data.metrics
    assert not any("test" in path for path in done.artifacts_of(done.runs[0]))
    asked = sightline("train", "-m", "seed=2", "evaluate_test=true", *QUICK, *FEW)
    assert sum("test/accuracy" in run.data.metrics for run in asked.runs) == 1
    single = sightline("train", "seed=4", "evaluate_test=false", *QUICK, *FEW)
    assert "test/accuracy" not in single.runs[0].data.metrics


FAULTY = """
import json, os, signal, sys
import torch
from torch import nn

class Faulty(nn.Module):
    # Two layers; what befalls a seed's training in its second epoch is in $FAULTS.
    def __init__(self, num_classes: int):
        super().__init__()
        layers = [nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(64, num_classes)]
        self.layers = nn.Sequential(*layers)
        self.fault = json.loads(os.environ["FAULTS"]).get(str(torch.initial_seed()), "")
        self.batches = 0

    def forward(self, x):
        self.batches += 1
        if self.batches > 20:
            if self.fault == "raise":
                raise RuntimeError("the plugin broke")
            if self.fault == "exit":
                sys.exit(3)
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "memory":
                torch.zeros(10**15)
            if self.fault == "vanish":
                os._exit(0)
        return self.layers(x)
"""
CAUSES = {"raise": "RuntimeError: the plugin broke", "exit": "SystemExit: 3", "kill": "SIGKILL",
          "memory": "allocate", "vanish": "status 0 and without a message"}  # fmt: skip


def start_faulty(
    folder: Path, seeds: str, faults: dict[int, str], n_jobs: int
) -> subprocess.Popen[str]:
    """A sweep of real trainings over `seeds`, in which `faults` befall some."""
    (folder / "faulty.py").write_text(FAULTY)
    (folder / "configs/model").mkdir(parents=True, exist_ok=True)
    (folder / "configs/model/faulty.yaml").write_text("_target_: faulty.Faulty\n")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return start(
        folder, "train", "-m", "--config-dir", "configs", "model=faulty", "plugins=[faulty]",
        f"seed={seeds}", "trainer.max_epochs=4", f"hydra.sweep.dir={folder}/sweep", *QUIET,
        f"hydra.launcher.n_jobs={n_jobs}", FAULTS=json.dumps(faults), PYTHONPATH=path,
    )  # fmt: skip


def kill_in(sweep: subprocess.Popen[str], folder: Path) -> None:
    """SIGKILL for the sweep and every job at work, as soon as `folder`'s job has a checkpoint."""
    wait_for((folder / "checkpoints/last.ckpt").exists)
    sweep.kill()
    sweep.communicate()
    for path in folder.parent.glob("*/alive.json"):
        os.killpg(json.loads(path.read_text())["pid"], signal.SIGKILL)


def check_faulty(folder: Path, faults: dict[int, str], count: int) -> None:
    """Whether those with a fault are reported with it, and the others finished once each."""
    rows = summary(folder / "sweep")
    assert len(rows) == count
    for seed, row in enumerate(rows):
        wanted = "FAILED" if seed in faults else "FINISHED"
        assert (int(row["seed"]), row["status"]) == (seed, wanted)
        assert CAUSES[faults[seed]] in row["error"] if seed in faults else row["error"] == ""
    client = client_of(folder)
    logged = client.search_runs(["1"])
    jobs = [run for run in logged if "sweep" in run.data.tags]
    runs = {int(run.data.params["seed"]): run for run in jobs}
    assert len(runs) == len(jobs) == count
    for seed, run in runs.items():
        assert run.info.status == ("FAILED" if seed in faults else "FINISHED")
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "val/loss")]
        assert steps == sorted(set(steps))
        assert steps == list(range(4)) or seed in faults
    [own] = [run for run in logged if run.data.tags.get("kind") == "sweep"]
    assert own.info.status == ("FAILED" if faults else "FINISHED")
    kept = {item.path for item in client.list_artifacts(own.info.run_id)}
    assert kept >= {"summary.csv", "command.txt", "configs.json", "figures", "errors"}
    [name] = {run.data.tags["sweep"] for run in jobs}
    view = client.get_experiment("1").tags[f"mlflow.sharedViewState.{view_key(name)}"]
    assert json.loads(view)["searchFilter"] == f"tags.sweep = '{name}'"


@pytest.mark.usefixtures("ready_store")
def test_faults_and_a_kill_leave_the_rest_done_once(tmp_path: Path) -> None:
    """Four trainings, two of which fail; killed in the second, given again."""
    faults = {1: "raise", 3: "kill"}
    sweep = start_faulty(tmp_path, "range(0,4)", faults, 1)
    kill_in(sweep, tmp_path / "sweep/0")
    code, _, err = finish(start_faulty(tmp_path, "range(0,4)", faults, 1), 600)
    assert code == 1, err
    assert "Traceback" not in err
    assert "2 jobs of the sweep failed" in err
    check_faulty(tmp_path, faults, 4)
    assert "the plugin broke" in (tmp_path / "sweep/errors/1.txt").read_text()


@pytest.mark.soak
def test_twenty_jobs_five_faults_two_kills(tmp_path: Path) -> None:
    faults = {4: "raise", 8: "exit", 11: "kill", 14: "memory", 18: "vanish"}
    for seed in (3, 12):
        kill_in(start_faulty(tmp_path, "range(0,20)", faults, 2), tmp_path / f"sweep/{seed}")
    code, _, err = finish(start_faulty(tmp_path, "range(0,20)", faults, 2), 3000)
    assert code == 1, err
    assert "5 jobs of the sweep failed" in err
    check_faulty(tmp_path, faults, 20)
    # Healed, the five go on, and nothing else is touched.
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("sweep/*/results.json")}
    code, _, err = finish(start_faulty(tmp_path, "range(0,20)", {}, 2), 3000)
    assert code == 0, err
    check_faulty(tmp_path, {}, 20)
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())


@pytest.mark.usefixtures("ready_store")
def test_jobs_of_several_ranks(tmp_path: Path) -> None:
    """Each job starts its own ranks, which train in it and run no sweep; evaluated exactly."""
    code, _, err = finish(start(
        tmp_path, "train", "-m", "trainer=ddp", "trainer.devices=1,2", *SMALL, *QUIET,
        "trainer.accelerator=cpu", "trainer.max_epochs=1", f"hydra.sweep.dir={tmp_path}/sweep",
        "evaluate_test=true",
    ), 600)  # fmt: skip
    assert code == 0, err
    client = client_of(tmp_path)
    runs = [run for run in client.search_runs(["1"]) if "sweep" in run.data.tags]
    assert sorted(run.data.params["trainer.devices"] for run in runs) == ["1", "2"]
    tables = [Predictions.read(tmp_path / f"sweep/{n}/predictions/test.parquet") for n in (0, 1)]
    assert [len(set(table.ids)) for table in tables] == [359, 359]
    assert list(tables[0].ids) == list(tables[1].ids)


def test_flags_may_come_after_overrides(sightline: Sightline) -> None:
    done = sightline("train", "trainer.max_epoch=1,2", "-m")
    assert done.status == 1
    assert "trainer.max_epochs" in done.err


def test_a_swept_key_that_is_wrong_is_named(sightline: Sightline) -> None:
    done = sightline("train", "-m", "trainer.max_epoch=1,2")
    assert done.status == 1
    assert "trainer.max_epochs" in done.err
    assert done.runs == []
