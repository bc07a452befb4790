"""Sweeps on a real Slurm: faults of every kind, also of the submitting process.

One scenario, run once for all tests: a sweep of four jobs is submitted, its process killed, and the
command given again. One job's training is killed (SIGKILL), one job is cancelled, two are preempted
(SIGUSR2), and one of these is requeued then (SIGTERM, and SIGKILL after a while). Beside it a
single training in two processes, by a script of its own, comes near its time limit.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.entities import Run
from support.commands import ONE_THREAD, Sightline, client_of, finish, start
from support.on_slurm import COMMON, MARKS, alone_on_slurm, run, state, wait_until, write_plugin

from sightline.cluster.slurm import job_state, read_duration
from sightline.predictions import Predictions
from sightline.runs.folder import RunFolder
from sightline.sweeps.slurm.sbatch import states
from sightline.sweeps.slurm.submission import read_submissions

EPOCHS = 20  # 4 s each: the events of the scenario come while the jobs train
SWEEP = [
    "train", "-m", *COMMON, "hydra/launcher=slurm", "model.hurry=go",
    f"trainer.max_epochs={EPOCHS}",
    "tracking.run_name=preempted,requeued,killed,cancelled", "hydra.launcher.cpus=1",
    "hydra.launcher.gpus=1", "hydra.launcher.time_min=10",
]  # fmt: skip
PREEMPTED, REQUEUED, KILLED, CANCELLED = range(4)
ALONE = """#!/bin/bash
#SBATCH --partition=high --time=10 --ntasks-per-node=2 --signal=USR2@20 --requeue --mem=100
#SBATCH --open-mode=append --output=alone.out
[ -z "$SLURM_RESTART_COUNT" ] || scontrol update jobid=$SLURM_JOB_ID timelimit=10  # time enough
srun {command} train {arguments}
"""


pytestmark = MARKS


def restarts(job: str) -> int:
    return int(run("scontrol", "show", "job", job).partition("Restarts=")[2].split()[0])


@dataclass
class Scenario:
    """The state of the scenario while it runs, and its outcome."""

    folder: Path
    path: str  # PYTHONPATH
    submitted: str  # what the first process printed
    job: str  # the array's
    alone: str
    status: int = 0
    out: str = ""
    err: str = ""

    @property
    def sweep(self) -> Path:
        [found] = self.folder.glob("sweeps/*")
        return found

    def log(self, number: int) -> str:
        path = self.sweep / str(number) / "train.log"
        return path.read_text() if path.is_file() else ""

    def epochs(self, number: int) -> int:
        return len(re.findall(r" epoch +\d+/", self.log(number)))

    def run_of(self, name: str) -> Run:
        """The one run of this name."""
        runs = client_of(self.folder).search_runs(["1"])
        [found] = [run for run in runs if run.data.tags["mlflow.runName"] == name]
        return found

    def losses(self, name: str) -> list[tuple[int, float]]:
        run_id = self.run_of(name).info.run_id
        history = client_of(self.folder).get_metric_history(run_id, "train/loss")
        return [(point.step, point.value) for point in history]


@pytest.fixture(scope="module")
def alone_here() -> Iterator[None]:
    with alone_on_slurm():
        yield


@pytest.fixture(scope="module")
def scenario(alone_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("slurm")
    path = write_plugin(folder)
    processes = [start(folder, *SWEEP, PYTHONPATH=path)]
    scenario = Scenario(folder, path, "", "", submit_alone(folder, path))
    try:
        assert processes[0].stdout is not None
        while "slurm: " not in scenario.submitted:
            line = processes[0].stdout.readline()
            assert line, processes[0].communicate()
            scenario.submitted += line
        os.killpg(processes[0].pid, signal.SIGKILL)
        processes[0].communicate()
        [submission] = read_submissions(scenario.sweep)
        scenario.job = submission.id or ""
        processes.append(start(folder, *SWEEP, PYTHONPATH=path))
        run_scenario(scenario, processes[1])
        yield scenario
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        subprocess.run(["scancel", scenario.alone, scenario.job], check=False, capture_output=True)


def submit_alone(folder: Path, path: str) -> str:
    script = folder / "alone.sh"
    arguments = [
        *COMMON, "model.hurry=restart", "tracking.run_name=alone",
        f"trainer.max_epochs={3 * EPOCHS}",
        "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2",
    ]  # fmt: skip
    command = f"{sys.executable} -m sightline.cli"
    script.write_text(ALONE.format(command=command, arguments=" ".join(arguments)))
    done = subprocess.run(
        ["sbatch", "--parsable", script], cwd=folder, check=True, capture_output=True, text=True,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
    )  # fmt: skip
    return done.stdout.strip()


def bring_limit_near(scenario: Scenario) -> None:
    """Set the time limit to the end of a minute (its resolution), at least 30 s from now."""
    wait_until(lambda: len(list(scenario.folder.glob("runs/*/*/checkpoints/last.ckpt"))) == 1,
               "alone trains")  # fmt: skip
    lasted_s = read_duration(run("squeue", "-h", "-j", scenario.alone, "-o", "%M"))
    assert lasted_s is not None
    limit = f"timelimit={(lasted_s + 30) // 60 + 1:.0f}"
    run("scontrol", "update", f"jobid={scenario.alone}", limit)


def run_scenario(scenario: Scenario, waiting: subprocess.Popen[str]) -> None:
    jobs = [f"{scenario.job}_{number}" for number in range(4)]
    wait_until(lambda: min(map(scenario.epochs, range(4))) >= 2, "all jobs train")
    bring_limit_near(scenario)
    owner = RunFolder(scenario.sweep / str(KILLED)).owner()
    assert owner is not None
    os.kill(owner[0].pid, signal.SIGKILL)
    run("scancel", jobs[CANCELLED])
    wait_until(lambda: state(jobs[CANCELLED]) == "CANCELLED" and state(jobs[KILLED]) == "FAILED",
               "the jobs end")  # fmt: skip
    run("sbatch", "-p", "high", "--gres=gpu:4", "--mem=100", "--output=/dev/null", "--wrap=sleep 1")
    wait_until(lambda: restarts(jobs[REQUEUED]) == 1, "Slurm preempts")
    wait_until(lambda: "resumes in epoch" in scenario.log(REQUEUED), "the job resumes")
    before = scenario.epochs(REQUEUED)
    wait_until(lambda: scenario.epochs(REQUEUED) > before, "the job trains")
    run("scontrol", "requeue", jobs[REQUEUED])
    wait_until(lambda: state(jobs[REQUEUED]) == "PENDING", "the job is requeued")
    (scenario.folder / "go").touch()
    scenario.status, scenario.out, scenario.err = finish(waiting)
    wait_until(
        lambda: state(scenario.alone) not in ("RUNNING", "PENDING", "COMPLETING"), "alone ends"
    )


def test_the_jobs_are_found_again_and_submitted_once(scenario: Scenario) -> None:
    assert "in Slurm already" not in scenario.submitted
    assert scenario.out.count("(in Slurm already)") == 4
    assert len(client_of(scenario.folder).search_runs(["1"])) == 4 + 1 + 1


@pytest.mark.parametrize(("name", "number"), [("preempted", PREEMPTED), ("requeued", REQUEUED)])
def test_a_job_goes_on_in_its_folder_and_run(scenario: Scenario, name: str, number: int) -> None:
    assert state(f"{scenario.job}_{number}") == "COMPLETED"
    assert restarts(f"{scenario.job}_{number}") == {PREEMPTED: 1, REQUEUED: 2}[number]
    found = scenario.run_of(name)
    assert found.info.status == "FINISHED"
    assert Path(found.data.tags["run_folder"]) == scenario.sweep / str(number)
    starts = scenario.log(number).count("training: resumes in epoch")
    assert starts == restarts(f"{scenario.job}_{number}")
    assert [step for step, _ in scenario.losses(name)] == list(range(EPOCHS))


def test_interruptions_change_no_value(scenario: Scenario) -> None:
    assert scenario.losses("preempted") == scenario.losses("requeued")


def test_a_job_that_dies_without_a_message_is_a_failed_job(scenario: Scenario) -> None:
    assert scenario.status == 1
    assert f"job {KILLED}: Slurm job {scenario.job}_{KILLED} ended: FAILED" in scenario.err
    assert scenario.run_of("killed").info.status == "FAILED"
    assert "Traceback" not in scenario.err
    [own] = [run for run in client_of(scenario.folder).search_runs(["1"])
             if run.data.tags.get("kind") == "sweep"]  # fmt: skip
    rows = (scenario.sweep / "summary.csv").read_text().splitlines()
    assert own.info.status == "FAILED"
    assert [row.split(",")[2] for row in rows[1:]] == ["FINISHED", "FINISHED", "FAILED", "KILLED"]


def test_a_cancelled_job_ends_as_killed(scenario: Scenario) -> None:
    assert scenario.run_of("cancelled").info.status == "KILLED"
    assert "ended: CANCELLED" in scenario.run_of("cancelled").data.tags["error"]


def test_two_tasks_are_one_run_that_outlives_its_time_limit(scenario: Scenario) -> None:
    printed = (scenario.folder / "alone.out").read_text()
    assert state(scenario.alone) == "COMPLETED", printed
    assert restarts(scenario.alone) == 1
    found = scenario.run_of("alone")
    assert found.info.status == "FINISHED"
    assert [step for step, _ in scenario.losses("alone")] == list(range(3 * EPOCHS))
    assert printed.count("training: resumes in epoch") == 1
    assert printed.count("MLflow run:") == 1
    [folder] = scenario.folder.glob("runs/*/*")
    assert folder.parent.name == "slurm"
    table = Predictions.read(folder / "predictions" / "test.parquet")
    assert len(table) == len(set(table.ids)) == 359


def test_the_same_command_submits_what_is_missing(scenario: Scenario) -> None:
    """The last of these tests: it goes on with the scenario."""
    before = read_submissions(scenario.sweep)
    code, out, err = finish(start(scenario.folder, *SWEEP, PYTHONPATH=scenario.path))
    assert code == 0, err
    assert "2 of them finished before" in out
    assert "in Slurm already" not in out
    assert [each.jobs for each in read_submissions(scenario.sweep)] == [[0, 1, 2, 3], [2, 3]]
    assert read_submissions(scenario.sweep)[:1] == before
    for name in ("killed", "cancelled"):
        assert scenario.losses(name) == scenario.losses("preempted")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("hydra.launcher.partition=nope", "invalid partition specified: nope"),
        ("+hydra.launcher.sbatch.acount=vision", "unrecognized option '--acount=vision'"),
        ("hydra.launcher.gpus=99", "Requested node configuration is not available"),
        ("hydra.launcher.cpus=many", "hydra.launcher.cpus: expected a valid integer"),
    ],
    ids=["partition", "option", "gpus", "cpus"],
)
def test_a_refused_option_is_named_and_leaves_no_files(
    sightline: Sightline, tmp_path: Path, option: str, message: str
) -> None:
    done = sightline("train", "-m", "seed=1,2", "hydra/launcher=slurm", option)
    assert done.status == 1
    assert message in done.err
    assert list((tmp_path / "work").iterdir()) == []


def test_jobs_are_found_by_their_name_alone() -> None:
    """The submitting process may die before it hears the job's number."""
    name = f"sightline-test-{os.getpid()}"
    job = run("sbatch", "--parsable", "--hold", f"--job-name={name}", "--array=3,5", "--mem=1",
              "--output=/dev/null", "--wrap=true")  # fmt: skip
    try:
        found = states([name, "another"])
        assert found.keys() == {(name, 3), (name, 5)}
        assert {each.id for each in found.values()} == {f"{job}_3", f"{job}_5"}
        assert {each.state for each in found.values()} == {"PENDING"}
    finally:
        run("scancel", job)
    assert job_state(f"{job}_5") == "CANCELLED"
    assert job_state("99999999") is None
