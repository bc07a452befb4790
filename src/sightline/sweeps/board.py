"""Page of a sweep, board.html: groups and jobs of each task, best first, with their figures."""

from collections.abc import Mapping, Sequence

from sightline.comparison.tasks import ABOUT_TASKS
from sightline.errors import counted
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Cell, Chart, Part, Section, Table
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.table import Row
from sightline.sweeps.tasks import SweepTask


def to_board(
    sweep: Sweep, rows: Sequence[Row], tasks: Sequence[SweepTask],
    groups: Mapping[str, Sequence[Row]], charts: Mapping[str, Sequence[Chart]],
) -> str:  # fmt: skip
    """The page as HTML.

    Args:
        sweep: the jobs.
        rows: of all jobs.
        tasks: of those that finished.
        groups: of replicates, by the task's folder; none where each job is by itself.
        charts: by the task's folder.
    """
    states = [str(row["status"]) for row in rows]
    found = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    sections = [
        _section(task, groups.get(task.folder, ()), charts.get(task.folder, ()), len(tasks) > 1)
        for task in tasks
        if task.rows
    ]
    failed = [[row["job"], row["status"], row["error"]] for row in rows if row["error"]]
    if failed:
        table = Table(None, "Jobs", ["job", "status", "error"], failed)
        sections.append(Section("Not finished", "", [table]))
    text = f"A board {ABOUT_TASKS}" if len(tasks) > 1 else ""
    facts = {"jobs": found, "command": sweep.command}
    verdict = [words for task in tasks for words in _verdict(task, groups.get(task.folder, ()))]
    return render_page(Page(sweep.title, text, facts, [], sections, [], verdict=verdict))


def _section(
    task: SweepTask, groups: Sequence[Row], charts: Sequence[Chart], several: bool
) -> Section:
    parts: list[Part] = []
    if groups:
        ranked = sorted(groups, key=lambda row: _mean(task, row), reverse=task.maximise)
        title = "Groups of seeds, folds and draws, best first"
        parts.append(_table(title, list(ranked[0]), ranked))
    columns = ["job", *task.keys, *task.metrics, "run_id"]
    jobs = _table("Jobs, best first", [c for c in columns if c in task.rows[0]], task.best_first)
    parts.append(jobs)
    parts += charts
    title = task.facts.title if several and task.facts is not None else "Board"
    return Section(title, " ".join([f"Ranked by {task.metrics[0]}.", *task.notes]), parts)


def _table(caption: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    cells: list[list[Cell]] = [[_cell(row[column]) for column in columns] for row in rows]
    return Table(None, caption, columns, cells)


def _cell(value: object) -> Cell:
    return value if isinstance(value, int | float) else str(value)


def _verdict(task: SweepTask, groups: Sequence[Row]) -> list[str]:
    """The best group or job of a task, with its values."""
    metric = task.metrics[0]
    if not task.rows:
        return []
    if not groups:
        best = task.best_first[0]
        chosen = ", ".join(f"{key}={best[key]}" for key in task.keys)
        return [f"best {metric} {best[metric]:.4g}: {chosen or 'job ' + str(best['job'])}"]
    pick = max if task.maximise else min
    top = pick(groups, key=lambda row: _mean(task, row))
    chosen = ", ".join(f"{key}={top[key]}" for key in task.keys if key in top)
    spread = f" (standard deviation {top[f'{metric} sd']:.2g})" if top["runs"] > 1 else ""
    mean = f"{top[f'{metric} mean']:.4g} over {counted(int(top['runs']), 'run')}{spread}"
    return [f"best {metric} {mean}" + (f": {chosen}" if chosen else "")]


def _mean(task: SweepTask, row: Row) -> float:
    return float(row[f"{task.metrics[0]} mean"])
