"""The results of an evaluation, before any of them is logged."""

from dataclasses import dataclass

from sightline.evaluation.target import EvaluationTarget
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.slices import Slices


@dataclass(frozen=True)
class EvaluationResult:
    """The results of an evaluation, before any of them is logged.

    Attributes:
        target: what was evaluated.
        evaluation: its metrics.
        slices: of each requested column.
        unseen: the images that were not in the run's train or val, where some were; else None.
    """

    target: EvaluationTarget
    evaluation: Evaluation
    slices: list[Slices]
    unseen: tuple[EvaluationTarget, Evaluation] | None

    @property
    def parts(self) -> list[tuple[EvaluationTarget, Evaluation]]:
        """The target with its metrics, and where some of it was seen in training, the rest."""
        return [(self.target, self.evaluation), *([self.unseen] if self.unseen else [])]
