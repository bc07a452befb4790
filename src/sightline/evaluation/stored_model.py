"""The model that is evaluated: a checkpoint with its run."""

from dataclasses import dataclass
from pathlib import Path

from sightline.config.validation import Node
from sightline.inference.model import LoadedModel
from sightline.runs.folder import BEST
from sightline.tracking.mlflow.stored_run import StoredRun


@dataclass(frozen=True)
class StoredModel:
    """A checkpoint, its run and its model.

    Attributes:
        path: of the checkpoint.
        run: that wrote it; None where that is not known.
        model: on the CPU.
        config: of the training, without `tracking`.
        published: whether it is a model of timm's as it was published; `path` is then its name.
    """

    path: Path
    run: StoredRun | None
    model: LoadedModel
    config: Node
    published: bool = False

    @property
    def origin(self) -> str:
        """What identifies it: the run's id, the checkpoint's path, or timm's name."""
        if self.run is not None and self.run.run_id:
            return self.run.run_id
        return str(self.path) if self.published else str(self.path.absolute())

    @property
    def is_best(self) -> bool:
        """Whether this is the checkpoint of the run's own results."""
        return self.run is not None and self.path.name == Path(BEST).name
