"""A search on a real Slurm: trials sampled one by one, pruned, and found again."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from support.commands import Sightline, client_of, finish, start
from support.on_slurm import COMMON, MARKS, alone_on_slurm, state, wait_until, write_plugin

from sightline.sweeps.slurm.submission import read_submissions

pytestmark = MARKS
BAD = "1000.0"  # a learning rate that the pruner stops
SEARCHED = [
    "hydra/launcher=slurm", "hydra.launcher.cpus=1", "hydra/sweeper=optuna",
    "hydra.sweeper.n_trials=4", "hydra.sweeper.direction=minimize",
    f"optimizer.lr=choice(0.001,0.002,{BAD},0.003)", "hydra.sweeper.sampler=bruteforce",
    "hydra.sweeper.pruner=threshold", "hydra.sweeper.pruner_options={upper:50}",
]  # fmt: skip
EPOCHS = 13
SEARCH = [
    "train", "-m", *COMMON, "model.hurry=go", f"trainer.max_epochs={EPOCHS}", *SEARCHED,
    "hydra.launcher.n_jobs=2",
]  # fmt: skip


@dataclass
class Scenario:
    """A search whose process was killed, and whose command was repeated."""

    folder: Path
    sweep: Path
    status: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        """Slurm's ids of the trials' jobs."""
        each = read_submissions(self.sweep)
        return [submission.slurm_id(number) for submission in each for number in submission.jobs]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    folder = tmp_path_factory.mktemp("search")
    path = write_plugin(folder)
    with alone_on_slurm():
        first = start(folder, *SEARCH, PYTHONPATH=path)
        processes = [first]
        try:
            wait_until(
                lambda: len(list(folder.glob("sweeps/*/[01]/tracking"))) == 2, "trials run", first
            )
            os.killpg(first.pid, signal.SIGKILL)
            first.communicate()
            processes.append(start(folder, *SEARCH, PYTHONPATH=path))
            wait_until(
                lambda: any(folder.glob("sweeps/*/*/pruned.txt")), "one is pruned", processes[1]
            )
            (folder / "go").touch()
            [sweep] = folder.glob("sweeps/*")
            yield Scenario(folder, sweep, *finish(processes[1]))
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
            for submission in [s for f in folder.glob("sweeps/*") for s in read_submissions(f)]:
                subprocess.run(["scancel", f"--name={submission.name}"], check=False)


def test_every_trial_is_submitted_once_and_recorded_in_the_study(scenario: Scenario) -> None:
    assert scenario.status == 0, scenario.err
    assert scenario.out.count("(in Slurm already)") == 2
    assert len(scenario.ids) == 4
    storage = f"sqlite:///{scenario.sweep}/optuna.db"
    study = optuna.load_study(study_name=None, storage=storage)
    pruned, complete = TrialState.PRUNED, TrialState.COMPLETE
    assert {trial.params["optimizer.lr"]: trial.state for trial in study.trials} == {
        "0.001": complete, "0.002": complete, "0.003": complete, BAD: pruned,
    }  # fmt: skip
    with (scenario.sweep / "summary.csv").open() as stream:
        rows = {row["optimizer.lr"]: row["status"] for row in csv.DictReader(stream)}
    assert rows == {"0.001": "FINISHED", "0.002": "FINISHED", "0.003": "FINISHED", BAD: "PRUNED"}


def test_a_pruned_trial_keeps_what_it_logged(scenario: Scenario) -> None:
    runs = client_of(scenario.folder).search_runs(["1"])
    assert len(runs) == 4 + 1
    [pruned] = [run for run in runs if "pruned" in run.data.tags]
    assert pruned.info.status == "KILLED"
    assert "error" not in pruned.data.tags
    logged = client_of(scenario.folder).get_metric_history(pruned.info.run_id, "val/loss")
    assert 1 <= len(logged) < EPOCHS
    [own] = [run for run in runs if run.data.tags.get("kind") == "sweep"]
    assert own.info.status == "FINISHED"
    assert sorted(map(state, scenario.ids)) == [*["COMPLETED"] * 3, "FAILED"]


def test_a_search_needs_the_number_of_trials_at_a_time(
    sightline: Sightline, tmp_path: Path
) -> None:
    done = sightline("train", "-m", *SEARCHED)
    assert done.status == 1
    assert "hydra.launcher.n_jobs=null" in done.err
    assert list((tmp_path / "work").iterdir()) == []
