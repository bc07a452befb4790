"""sweep: trainings of several configs from Python, as `sightline train -m` runs them."""

import signal
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from sightline.api.comparison import ComparedRuns, as_tables
from sightline.api.run import Run
from sightline.errors import Interrupted, UserError, counted
from sightline.paths import project_root, sweep_name, sweep_title
from sightline.runs.folder import RunFolder
from sightline.sweeps.printed_board import compare_jobs
from sightline.training.launch import as_launched, launch

FOLDER = "hydra.sweep.dir="


class SweepRuns:
    """The runs of a sweep or a search.

    Args:
        folder: the sweep's own, in `sweeps/` of the project.

    Raises:
        UserError: there is no sweep.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        if not (self.folder / "sweep.json").is_file():
            raise UserError(f"{self.folder} holds no sweep of Sightline (no sweep.json).")

    @property
    def name(self) -> str:
        """What differs between its runs, and the data."""
        return sweep_title(self.folder.name)

    @property
    def _finished(self) -> list[RunFolder]:
        numbered = [path for path in self.folder.iterdir() if path.name.isdecimal()]
        jobs = [RunFolder(path) for path in sorted(numbered, key=lambda path: int(path.name))]
        return [job for job in jobs if job.results() is not None]

    @property
    def runs(self) -> list[Run]:
        """Its finished runs, by their numbers."""
        return [Run(job.path) for job in self._finished]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each job: what differs, status, metric, run id, folder, error."""
        return pd.read_csv(self.folder / "summary.csv")

    @cached_property
    def board(self) -> ComparedRuns:
        """Its configs by their mean over seeds, the best first, and the tests of the best.

        Raises:
            UserError: no run finished.
        """
        if not self._finished:
            raise UserError(f"No run of {self.folder} finished.")
        return as_tables(compare_jobs(self._finished, self.name))

    @property
    def best(self) -> Run:
        """A run of the best config: the first of its seeds."""
        named = str(self.board.leaderboard["run ids"].iloc[0]).split()[0]
        return Run(named if not Path(named).is_dir() else Path(named))

    def __repr__(self) -> str:
        return f"<SweepRuns {self.name}, {counted(len(self._finished), 'finished run')}>"

    def _repr_html_(self) -> str:
        shown = self.board._repr_html_() if self._finished else self.table.to_html(index=False)
        return f"<p>{self.name}, {counted(len(self._finished), 'finished run')}</p>{shown}"


def sweep(overrides: Sequence[str], n_jobs: int = 1) -> SweepRuns:
    """Train every combination of values, each in a process of its own.

    The same call again runs what is missing. Its board is printed at the end.

    Args:
        overrides: as after `sightline train -m`: `["model=cnn,timm", "seed=1,2,3"]`; a search with
            `hydra/sweeper=optuna`.
        n_jobs: how many run at a time.

    Raises:
        UserError: a config is wrong, or jobs failed; the message names each with its error.
        KeyboardInterrupt: the sweep was interrupted; what ran is saved, and is resumed.
    """
    words = ["-m", *map(str, overrides)]
    if n_jobs != 1:
        words.append(f"hydra.launcher.n_jobs={n_jobs}")
    given = [word.removeprefix(FOLDER) for word in words if word.startswith(FOLDER)]
    default = project_root() / "sweeps" / sweep_name(as_launched(words))
    folder = Path(given[-1]) if given else default
    try:
        status = launch(words)
    except Interrupted as interrupt:
        if interrupt.signum == signal.SIGINT:
            raise KeyboardInterrupt from interrupt
        raise
    assert status == 0
    return SweepRuns(folder)
