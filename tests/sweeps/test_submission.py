"""Submissions to Slurm, and the Slurm job of a process, without a Slurm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.commands import Sightline

from sightline.cluster.run_name import run_name
from sightline.cluster.slurm import own_job, read_duration
from sightline.config.compose import compose_job
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.lock_owner import LockOwner
from sightline.sweeps.slurm.sbatch import outside_of_job
from sightline.sweeps.slurm.submission import (
    SlurmOptions,
    array_options,
    make_arrays,
    new_submission,
    processes,
    write_script,
)
from sightline.sweeps.sweep import Sweep, open_job

OPTIONS = SlurmOptions(
    partition="gpu", time_min=60, gpus=2, cpus=4, mem_gb=1.5, n_jobs=3, save_s=90,
    setup=["module load cuda"], sbatch={"account": "vision", "exclusive": True, "qos": None},
)  # fmt: skip


def sweep_of(folder: Path, *devices: str) -> Sweep:
    jobs = []
    for number, words in enumerate(devices):
        jobs.append(open_job(*compose_job([*words.split(), f"hydra.run.dir='{folder}/{number}'"])))
    tracking = jobs[0].config.tracking
    return Sweep(RunFolder(folder), "a sweep", "", jobs, True, None, tracking, [])


def config_of(*words: str) -> TrainConfig:
    return compose_job(list(words))[0]


def test_a_script_passes_on_what_its_jobs_may_do(tmp_path: Path) -> None:
    of_cifar = ["data=torchvision", "data.name=CIFAR10"]
    for words, expected in (
        (of_cifar, '"$folder"  \\\n'),
        ([*of_cifar, "data.download=true"], '"$folder" data.download=true \\\n'),
    ):
        sweep = sweep_of(tmp_path, "seed=1")
        job = replace(sweep.jobs[0], config=config_of(*words))
        submission = new_submission([0], limit=3)
        script = write_script(replace(sweep, jobs=[job]), submission, []).read_text()
        assert expected in script


def test_arrays_hold_jobs_of_one_shape_within_slurms_size(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, "trainer.devices=1", "trainer.devices=2", "trainer.devices=1",
                     "trainer.devices=1", "trainer.devices=1")  # fmt: skip
    assert make_arrays(sweep, [0, 1, 2, 3, 4], 2, limit=3) == [[0, 2], [1], [3, 4]]
    submission = new_submission([3, 4], limit=3)
    assert submission.first == 3
    words = array_options(sweep, submission, OPTIONS)
    assert {
        "--array=0,1%3", "--nodes=1", "--ntasks-per-node=1", "--partition=gpu", "--mem=1536M",
        "--gres=gpu:2", "--time=60", "--signal=USR2@90", "--requeue", "--account=vision",
        "--exclusive", "--cpus-per-task=4", f"--job-name={submission.name}",
    } <= set(words)  # fmt: skip
    assert not any("qos" in word for word in words)
    script = write_script(sweep, submission, OPTIONS.setup).read_text()
    assert "module load cuda" in script
    assert f"  1) folder={tmp_path}/4 ;;" in script


@pytest.mark.parametrize(
    ("words", "gpus", "expected"),
    [
        (["trainer.devices=1"], 0, (1, 1)),
        (["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"], 0, (1, 2)),
        (["trainer=ddp", "trainer.num_nodes=2"], 4, (2, 4)),
        (["trainer=cpu", "trainer.devices=auto"], 4, (1, 1)),  # as Lightning counts
    ],
)
def test_a_process_for_each_device(words: list[str], gpus: int, expected: tuple[int, int]) -> None:
    assert processes(config_of(*words), gpus) == expected


def test_more_gpus_than_a_job_has_are_refused() -> None:
    with pytest.raises(UserError, match=r"hydra.launcher.gpus=1.*Give hydra.launcher.gpus=2"):
        processes(config_of("trainer=ddp", "trainer.devices=2"), 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-02:03:04", 93784), ("25:00", 1500), ("0:07", 7), ("UNLIMITED", None), ("INVALID", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert read_duration(text) == seconds


def test_a_requeued_job_has_the_folder_that_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    assert "slurm" not in run_name(["seed=1"])  # an allocation in which a person types
    monkeypatch.setenv("ENVIRONMENT", "BATCH")
    assert run_name(["seed=1"]).startswith("slurm/13-")
    monkeypatch.setenv("SLURM_STEP_ID", "2")
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert run_name(["seed=1"]).startswith("slurm/13.2-")
    assert run_name(["seed=1"]) == run_name(["seed=1"]) != run_name(["seed=2"])
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "13")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    assert own_job() == "13_5"
    assert not any(key.startswith("SLURM_JOB") for key in outside_of_job())


def test_processes_of_an_unknown_launcher_need_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"hydra\.run\.dir=FOLDER"):
        run_name([])


def test_the_same_job_elsewhere_is_known_to_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = LockOwner("node1", "another machine", 1, 0.0, "token", "13_5")
    assert not owner.gone(silent_s=1)
    monkeypatch.setenv("SLURM_JOB_ID", "18")
    assert not owner.gone(silent_s=1)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "13")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    assert owner.gone(silent_s=1)


def test_slurm_absent(
    sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = sightline("train", "-m", "seed=1,2", "hydra/launcher=slurm")
    assert done.status == 1
    assert "sbatch, squeue, scancel not found on this machine" in done.err
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("sweeper", ["grid", "optuna", "basic"])
def test_a_launcher_from_elsewhere_is_refused(
    sightline: Sightline, tmp_path: Path, sweeper: str
) -> None:
    """Ray's ended with status 0, having trained nothing."""
    done = sightline("train", "-m", "seed=1,2", f"hydra/sweeper={sweeper}", "hydra/launcher=basic")
    assert done.status == 1
    assert "hydra/launcher=basic: sweeps and searches are launched by" in done.err
    files = {path.name for path in (tmp_path / "work").rglob("*") if path.is_file()}
    assert files <= {"multirun.yaml"}  # of Hydra's own sweeper


def test_a_launcher_without_a_sweep_is_refused(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("train", "hydra/launcher=slurm")
    assert done.status == 1
    assert "-m" in done.err
    assert list((tmp_path / "work").glob("runs/*/*")) == []


def test_a_job_whose_direction_contradicts_its_metric_is_refused_before_anything_is_written(
    sightline: Sightline, tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep"
    words = ["monitor=val/loss,val/accuracy", "monitor_mode=min", f"hydra.sweep.dir={sweep}"]
    done = sightline("train", "-m", *words)
    assert done.status == 1
    assert "monitor_mode=min contradicts monitor=val/accuracy" in done.err
    assert not sweep.exists()
    assert not done.runs
