"""The figures of a sweep: parallel coordinates, main effects, best so far, mean curves."""

from matplotlib.figure import Figure

from sightline.metrics.monitor import monitor_mode
from sightline.reports.figures.sweep import draw_main_effects, draw_parallel
from sightline.reports.figures.sweep_progress import draw_best_so_far, draw_mean_curves
from sightline.sweeps.groups import replicates
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.table import Row, curve_of
from sightline.tracking.description import group_name


class SweepFigures:
    """Draws the jobs that have a value; keeps the curves of those that it has seen.

    Args:
        sweep: the jobs.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._curves: dict[int, list[float]] = {}  # by job number

    def draw(self, ranked: list[Row], keys: list[str]) -> dict[str, Figure]:
        """The figures by name; none where no value or no key is there to draw.

        Args:
            ranked: rows of the jobs that have a value.
            keys: the swept keys.
        """
        if not ranked or not keys:
            return {}
        metrics = [name for name, _ in self.sweep.objectives]
        maximise = self.sweep.objectives[0][1]
        drawn = {
            "parallel_coordinates": draw_parallel(ranked, keys, metrics, maximise),
            "main_effects": draw_main_effects(ranked, keys, metrics[0]),
            "best_so_far": draw_best_so_far(ranked, metrics[0], maximise),
        }
        groups = self._groups(ranked)
        if len(groups) < len(ranked):
            config = self.sweep.jobs[0].config
            drawn["mean_curves"] = draw_mean_curves(
                groups, config.monitor, monitor_mode(config) == "max"
            )
        return drawn

    def _groups(self, ranked: list[Row]) -> dict[str, list[list[float]]]:
        """The curves of the monitored metric, by the name of the group of replicates."""
        found = {}
        for digest, members in replicates(ranked, self.sweep.jobs).items():
            jobs = [self.sweep.jobs[row["job"]] for row in members]
            for row, each in zip(members, jobs, strict=True):
                if row["job"] not in self._curves:
                    self._curves[row["job"]] = curve_of(each.folder, each.config.monitor)
            name = group_name(jobs[0].config, jobs[0].job, digest)
            found[name] = [self._curves[row["job"]] for row in members]
        return found
