"""Processes of a sweep's jobs: failures, signals, restarts; with jobs that train nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.cheap_job import start_sweep, starts, summary, wait_for
from support.commands import Done

from sightline.config.compose import compose_frozen, compose_job, register_resolvers
from sightline.paths import conf_dir
from sightline.runs.folder import RunFolder


def test_failures_of_every_kind_leave_the_others_alone(
    cheap: Callable[..., Done], tmp_path: Path
) -> None:
    kinds = {1: "raise", 2: "exit", 3: "kill", 4: "memory", 5: "vanish", 6: "refuse"}
    done = cheap("seed=range(0,8)", "hydra.launcher.n_jobs=3", seeds=kinds)
    assert done.status == 1
    assert "6 jobs of the sweep failed" in done.err
    assert "Traceback" not in done.err
    rows = summary(tmp_path / "sweep")
    assert [row["status"] for row in rows] == ["FINISHED", *["FAILED"] * 6, "FINISHED"]
    causes = {1: "RuntimeError: the images are upside down", 2: "SystemExit: 3", 3: "SIGKILL",
              4: "MemoryError", 5: "status 0", 6: "model.dropout: expected"}  # fmt: skip
    for seed, cause in causes.items():
        assert cause in rows[seed]["error"]
        assert cause in done.err
        assert cause in (tmp_path / f"sweep/errors/{seed}.txt").read_text()
    assert 'raise RuntimeError("the images' in (tmp_path / "sweep/errors/1.txt").read_text()
    assert all(rows[seed]["error"] == "" for seed in (0, 7))
    # The same command again runs the six; healed, they finish, and nothing else was touched.
    done = cheap("seed=range(0,8)", "hydra.launcher.n_jobs=3")
    assert done.status == 0, done.err
    assert {row["status"] for row in summary(tmp_path / "sweep")} == {"FINISHED"}
    assert [len(each) for each in starts(tmp_path / "sweep")] == [1, *[2] * 6, 1]
    assert RunFolder(tmp_path / "sweep").status == "FINISHED"
    # And once more runs none.
    assert cheap("seed=range(0,8)").status == 0
    assert sum(len(each) for each in starts(tmp_path / "sweep")) == 14


def test_no_job_starts_after_too_many_failures(cheap: Callable[..., Done], tmp_path: Path) -> None:
    seeds = dict.fromkeys(range(5), "raise")
    done = cheap("seed=range(0,5)", "sweep.max_failures=2", seeds=seeds)
    assert done.status == 1
    assert "sweep.max_failures=2 is reached" in done.out
    assert [row["status"] for row in summary(tmp_path / "sweep")] == [
        "FAILED", "FAILED", *["WAITING"] * 3
    ]  # fmt: skip
    # The limit is that of the command, not what was frozen.
    done = cheap("seed=range(0,5)", "sweep.max_failures=3", seeds=seeds)
    assert [len(each) for each in starts(tmp_path / "sweep")] == [2, 2, 1]


def test_jobs_at_once_share_the_cores(
    cheap: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    seeds = dict.fromkeys(range(4), "sleep1")
    assert cheap("seed=range(0,4)", "hydra.launcher.n_jobs=4", seeds=seeds).status == 0
    each = [line.split()[1:] for [line] in starts(tmp_path / "sweep")]
    assert [threads for threads, _ in each] == ["2"] * 4
    assert sorted(gpu for _, gpu in each) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["a=b,c", "o'neil [1]", "{x}: \\"])
def test_a_folder_of_configs_may_have_any_name(tmp_path: Path, name: str) -> None:
    """A search keeps copies of them in its own folder, whose name is made of the overrides."""
    own = tmp_path / name
    shutil.copytree(conf_dir() / "model", own / "model")
    (own / "model" / "cnn.yaml").rename(own / "model" / "mine.yaml")
    register_resolvers([])
    config, _ = compose_frozen([conf_dir(), own], ["model=mine"], tmp_path / "0", "a sweep", [])
    assert config.model["widths"]


def test_edits_after_the_launch_change_nothing(cheap: Callable[..., Done], tmp_path: Path) -> None:
    own = tmp_path / "configs" / "model"
    own.mkdir(parents=True)
    text = "_target_: sightline.models.cnn.SimpleCNN\nwidths: [4]\nhidden: 8\ndropout: 0.0\n"
    (own / "mine.yaml").write_text(text)
    words = ["--config-dir", str(tmp_path / "configs"), "model=mine", "seed=0,1"]
    assert cheap(*words, seeds={1: "raise"}).status == 1
    (own / "mine.yaml").write_text(text.replace("hidden: 8", "hidden: 9"))
    done = cheap(*words)
    assert done.status == 0, done.err
    assert "model.hidden (8 then, 9 now)" in done.out
    frozen = json.loads((tmp_path / "sweep/1/run.json").read_text())
    assert frozen["config"]["model"]["hidden"] == 8
    # A wider sweep would mix the two, and is refused.
    done = cheap(*words[:-1], "seed=0,1,2")
    assert done.status == 1
    assert "the configs were edited since" in done.err
    assert len(starts(tmp_path / "sweep")) == 2


def test_one_folder_holds_one_sweep(cheap: Callable[..., Done], tmp_path: Path) -> None:
    assert cheap("seed=0,1").status == 0
    done = cheap("seed=1,2")
    assert done.status == 1
    assert f"{tmp_path}/sweep holds another sweep" in done.err
    assert "1 of its 2 jobs is not in this one, such as" in done.err
    # Further values, and the same ones in other words or another order, are the same sweep.
    done = cheap("seed=2,1,0", "optimizer.lr=0.003")
    assert done.status == 0, done.err
    assert "1 of 3 jobs are new" in done.out
    assert [len(each) for each in starts(tmp_path / "sweep")] == [1, 1, 1]
    assert [row["seed"] for row in summary(tmp_path / "sweep")] == ["0", "1", "2"]


def test_freezing_again_keeps_what_is_known_of_the_data(tmp_path: Path) -> None:
    config, job = compose_job([f"hydra.run.dir={tmp_path}/job"])
    folder = RunFolder(tmp_path / "job")
    folder.freeze(config, job, {"train": "abc"})
    folder.freeze(config, job)
    frozen = folder.frozen
    assert frozen is not None
    assert frozen.data == {"train": "abc"}


def test_the_same_job_twice_is_one(cheap: Callable[..., Done], tmp_path: Path) -> None:
    done = cheap("optimizer.lr=0.01,1e-2,0.1", "seed=5")
    assert done.status == 0, done.err
    assert "the same config as" in done.out
    assert len(starts(tmp_path / "sweep")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.max_epoch=1,2"], "trainer.max_epochs"),
        (["model=cnn,cn"], "Did you mean 'cnn'"),
        (["seed=0,1,-2"], "seed: expected"),
        (["optimizer.lr=0.1,fast"], "optimizer.lr: expected"),
        (["seed=0,1", "+trainer.max_stepz=3"], "trainer.max_steps"),
        (["optimizer.lr=interval(0.001,0.1)"], "hydra/sweeper=optuna"),
        (["seed=0,1", "hydra.launcher.n_jobs=0"], "n_jobs=0: expected"),
    ],
    ids=["key", "option", "value", "type", "added-key", "space", "n_jobs"],
)  # fmt: skip
def test_one_wrong_job_and_none_is_started(
    cheap: Callable[..., Done], tmp_path: Path, words: list[str], said: str
) -> None:
    done = cheap(*words)
    assert done.status == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_is_not_run_by_each_rank(
    cheap: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = cheap("seed=0,1")
    assert done.status == 1
    assert "starts the ranks of its jobs itself" in done.err
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("whole_group", [False, True], ids=["sweep-alone", "its-jobs-too"])
def test_a_killed_sweep_goes_on_with_what_is_missing(tmp_path: Path, whole_group: bool) -> None:
    """SIGKILL in the third of five: what still works is waited for, what died is run again."""
    third = tmp_path / "sweep/2/starts.txt"
    sweep = start_sweep(tmp_path, "seed=range(0,5)", s2="wait")
    wait_for(third.exists)
    job = int(third.read_text().split()[0])
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    if whole_group:
        os.kill(job, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(job)
                 or psutil.Process(job).status() == psutil.STATUS_ZOMBIE)  # fmt: skip
    assert len(summary(tmp_path / "sweep")) == 5  # it is there whenever it is looked at
    again = start_sweep(tmp_path, "seed=range(0,5)")
    said = tmp_path / "sweep.out"
    if not whole_group:
        wait_for(lambda: f"running already, process {job}" in said.read_text())
        (tmp_path / "sweep/2/go").touch()
    assert again.wait(timeout=400) == 0, said.read_text()
    assert [row["status"] for row in summary(tmp_path / "sweep")] == ["FINISHED"] * 5
    runs = [len(each) for each in starts(tmp_path / "sweep")]
    assert runs == ([1, 1, 2, 1, 1] if whole_group else [1, 1, 1, 1, 1])
    assert RunFolder(tmp_path / "sweep").status == "FINISHED"


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
def test_a_signal_is_passed_on_and_no_further_job_starts(
    tmp_path: Path, signum: signal.Signals, status: int
) -> None:
    sweep = start_sweep(
        tmp_path, "seed=range(0,4)", "hydra.launcher.n_jobs=2", s0="wait", s1="wait"
    )
    wait_for(lambda: all((tmp_path / f"sweep/{n}/starts.txt").exists() for n in (0, 1)))
    time.sleep(0.5)
    sweep.send_signal(signum)
    assert sweep.wait(timeout=200) == status
    rows = summary(tmp_path / "sweep")
    assert [row["status"] for row in rows] == ["KILLED", "KILLED", "WAITING", "WAITING"]
    assert RunFolder(tmp_path / "sweep").status == "KILLED"
    for [line] in starts(tmp_path / "sweep"):
        assert not psutil.pid_exists(int(line.split()[0]))
    again = start_sweep(tmp_path, "seed=range(0,4)", "hydra.launcher.n_jobs=2")
    assert again.wait(timeout=400) == 0
    assert [len(each) for each in starts(tmp_path / "sweep")] == [2, 2, 1, 1]


def test_a_sweep_at_work_refuses_a_second_one(cheap: Callable[..., Done], tmp_path: Path) -> None:
    sweep = start_sweep(tmp_path, "seed=0,1", s0="wait")
    wait_for((tmp_path / "sweep/0/starts.txt").exists)
    done = cheap("seed=0,1")
    assert done.status == 1
    assert f"{tmp_path}/sweep is in use by process {sweep.pid}" in done.err
    sweep.terminate()
    assert sweep.wait(timeout=200) == 143
    assert (tmp_path / "sweep/sweep.json").exists()
