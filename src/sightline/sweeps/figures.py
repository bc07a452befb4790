"""The figures of a sweep: parallel coordinates, main effects, best so far, mean curves."""

from matplotlib.figure import Figure

from sightline.comparison.compared_run import BEST, bare_name
from sightline.config.influence import has_influence
from sightline.reports.figures.sweep import draw_main_effects, draw_parallel
from sightline.reports.figures.sweep_progress import draw_best_so_far, draw_mean_curves
from sightline.sweeps.groups import replicates
from sightline.sweeps.label_curves import file_name, sweep_curves
from sightline.sweeps.sweep import Sweep, by_monitor
from sightline.sweeps.table import curve_of
from sightline.sweeps.tasks import SweepTask
from sightline.tracking.description import group_name


class SweepFigures:
    """Draws the jobs of a task that have a value; keeps the curves of those that it has seen.

    Args:
        sweep: the jobs.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._curves: dict[tuple[int, str], list[float]] = {}  # by job number and metric

    def draw(self, task: SweepTask) -> dict[str, Figure]:
        """The figures by name; none where no value or no key is there to draw."""
        rows, metrics = task.rows, task.metrics
        if not rows or not task.keys:
            return {}
        drawn = {"best_so_far": draw_best_so_far(rows, metrics[0], task.maximise)}
        keys = [key for key in task.keys if has_influence(key)]  # seeds and folds are replicates
        if keys:
            drawn["parallel_coordinates"] = draw_parallel(rows, keys, metrics, task.maximise)
            drawn["main_effects"] = draw_main_effects(rows, keys, metrics[0])
        drawn |= self._label_curves(task)
        best, maximise = task.objectives[0]
        if not best.startswith(f"{BEST}/"):  # has no curve
            best, maximise = by_monitor(self.sweep.jobs[rows[0]["job"]].config)
        monitor = f"val/{bare_name(best)}"
        groups = self._groups(task, keys, monitor)
        if 0 < len(groups) < len(rows):
            drawn["mean_curves"] = draw_mean_curves(groups, monitor, maximise)
        return drawn

    def _label_curves(self, task: SweepTask) -> dict[str, Figure]:
        """The metric over the number of training images, where that is swept."""
        found = sweep_curves(task, self.sweep.jobs)
        if not found:
            return {}
        from sightline.comparison.label_curve_figure import draw_label_curves  # imports SciPy

        return {file_name(metric): draw_label_curves(curves) for metric, curves in found.items()}

    def _groups(
        self, task: SweepTask, keys: list[str], monitor: str
    ) -> dict[str, list[list[float]]]:
        """A metric's curves, by what sets the group of replicates apart, or by its name."""
        found: dict[str, list[list[float]]] = {}
        for digest, members in replicates(task.rows, self.sweep.jobs).items():
            jobs = [self.sweep.jobs[row["job"]] for row in members]
            for row, each in zip(members, jobs, strict=True):
                if (row["job"], monitor) not in self._curves:
                    self._curves[row["job"], monitor] = curve_of(each.folder, monitor)
            name = " ".join(f"{key}={members[0][key]}" for key in keys)
            if not name or name in found:  # a version of a package, say, sets two apart
                name = group_name(jobs[0].config, jobs[0].job, digest)
            curves = [self._curves[row["job"], monitor] for row in members]
            found[name] = [curve for curve in curves if curve]
        return {name: curves for name, curves in found.items() if curves}
