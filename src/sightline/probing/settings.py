"""Settings of one probing: which probes, on what features, with how few samples."""

from dataclasses import dataclass

from sightline.config.probe_names import Pooling, ProbeName


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of one probing.

    Attributes:
        probes: their names.
        poolings: of the features.
        shots: training samples a class, of further fits; None: those of SHOTS that train allows.
        draws: of the samples of each number of shots.
        report: whether each run has a report.html.
        checkpoints: whether probes with a linear head keep a model; None: where one backbone is
            probed.
        with_test: whether test is evaluated too.
    """

    probes: tuple[ProbeName, ...]
    poolings: tuple[Pooling, ...]
    shots: tuple[int, ...] | None
    draws: int
    report: bool
    checkpoints: bool | None = None
    with_test: bool = False
