"""What is fitted on val after a training, and kept in its checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Tuning:
    """How probabilities are calibrated and decided on; untuned by default.

    Attributes:
        temperature: the logits are divided by it (Guo et al. 2017); 1 leaves them.
        thresholds: over which a calibrated probability is a yes: binary one value, of the positive
            class; multilabel one a label; None for 0.5, and for multiclass.
        aim: what the thresholds were fitted for; None where they were not.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    aim: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as a checkpoint holds them."""
        thresholds = None if self.thresholds is None else list(self.thresholds)
        return asdict(self) | {"thresholds": thresholds}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; untuned of an empty one."""
        thresholds = values.get("thresholds")
        return cls(
            temperature=float(values.get("temperature", 1.0)),
            thresholds=None if thresholds is None else tuple(map(float, thresholds)),
            aim=values.get("aim"),
        )
