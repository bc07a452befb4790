"""The progress of a sweep in a terminal: its jobs side by side, and the time that is left."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import get_console
from rich.live import Live
from rich.table import Table

from sightline.errors import counted
from sightline.sweeps.process import Running
from sightline.sweeps.sweep import Sweep, overrides_of, swept_keys
from sightline.training.logging.time_left import time_left

EVERY_S = 1.0  # between two readings of the jobs' journals
BAR = 20  # characters


class SweepProgress:
    """A table of the running jobs at the bottom of a terminal; elsewhere nothing is drawn.

    Args:
        sweep: with all jobs, to which a search adds.
        live: draws it; None where there is no terminal.
    """

    def __init__(self, sweep: Sweep, live: Live | None) -> None:
        self.sweep = sweep
        self.live = live
        self._began_s = time.monotonic()
        self._before: float | None = None  # epochs that were done at the start, in jobs
        self._drawn_s = 0.0

    def update(self, running: Sequence[Running]) -> None:
        """Draw the jobs as their journals are now, at most once a second."""
        if self.live is None or time.monotonic() - self._drawn_s < EVERY_S:
            return
        self._drawn_s = time.monotonic()
        self.live.update(self._table(running), refresh=True)

    def _table(self, running: Sequence[Running]) -> Table:
        jobs = self.sweep.jobs
        table = Table.grid(padding=(0, 2))
        keys = swept_keys([each.job for each in jobs])
        shares = []
        for each in running:
            share, words = _progress(each)
            shares.append(share)
            given = overrides_of(each.job.job)
            name = " ".join(
                f"{key.rpartition('.')[2]}={given[key]}" for key in keys if key in given
            )
            table.add_row(f"job {each.number}", name, _bar(share), words)
        done = sum(each.folder.results() is not None for each in jobs)
        complete = done + sum(shares)
        self._before = complete if self._before is None else self._before
        left = time_left(time.monotonic() - self._began_s, complete - self._before,
                         len(jobs) - complete)  # fmt: skip
        about = f"about {left} left" if left else ""
        table.add_row("sweep", f"{done} of {counted(len(jobs), 'job')}",
                      _bar(complete / len(jobs)), about)  # fmt: skip
        return table


@contextmanager
def shown(sweep: Sweep) -> Iterator[SweepProgress]:
    """The progress of a sweep, which is gone from the terminal when the block ends."""
    console = get_console()
    if not console.is_terminal:
        yield SweepProgress(sweep, None)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield SweepProgress(sweep, live)


def _progress(each: Running) -> tuple[float, str]:
    """The share of a job's epochs that are done, and its last values."""
    state, most = each.job.folder.state, each.job.config.trainer.get("max_epochs")
    share = min(1.0, state.epochs / most) if isinstance(most, int) and most > 0 else 0.0
    monitor = each.job.config.monitor
    values = [f"{key} {state.metrics[key]:.4f}" for key in dict.fromkeys(("train/loss", monitor))
              if key in state.metrics]  # fmt: skip
    return share, "  ".join([f"epoch {state.epochs}/{most}", *values])


def _bar(share: float) -> str:
    full = round(BAR * share)
    return "━" * full + "─" * (BAR - full)
