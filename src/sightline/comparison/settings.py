"""Settings of one comparison: runs, metric, tests and output."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ComparisonSettings:
    """Settings of one comparison.

    Attributes:
        runs: ids, folders or sweeps' runs; empty for the runs of an experiment.
        experiment: by name; None for the project's.
        uri: of the tracking store; None for the default.
        metric: that runs are ranked by; None for the one that they monitor.
        mode: max or min, for a metric that Sightline does not know; None for the metric's own.
        split: whose predictions are tested; None for the metric's own.
        against: the number of next groups that the best is tested against.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        output: the folder that is written to; None for a new one of the project.
        margin: of a difference that does not matter, in the metric's unit, over 0; None:
            equivalence is not tested.
        overwrite: whether an earlier comparison there is replaced.
        plugins: packages whose metrics are compared.
        group_by: the parameters that runs of a group share; empty: the config.
        seeds: the parameter that tells runs of a group apart, where `group_by` is given; None: all
            of them count.
    """

    runs: tuple[str, ...] = ()
    experiment: str | None = None
    uri: str | None = None
    metric: str | None = None
    mode: Literal["max", "min"] | None = None
    split: str | None = None
    against: int = 10
    resamples: int = 2000
    seed: int = 0
    output: str | None = None
    overwrite: bool = False
    margin: float | None = None
    plugins: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    seeds: str | None = None
