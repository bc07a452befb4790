"""The state of a run as its journal tells it, kept up to date by reading only what is new."""

from dataclasses import dataclass, field
from pathlib import Path

from sightline.runs.journal.file import read_journal
from sightline.runs.journal.records import (
    ArtifactRecord,
    DatasetsRecord,
    ImageRecord,
    MetricsRecord,
    ModelRecord,
    ParamsRecord,
    Record,
    RunRecord,
    StatusRecord,
    TagsRecord,
)

Point = tuple[int, float]  # a step and a value


@dataclass
class RunState:
    """What a run has logged so far.

    Attributes:
        name: the run's; None before it began.
        status: RUNNING, FINISHED, FAILED or KILLED; None before it began.
        params: as logged.
        tags: of each key the last value.
        points: of each metric every point, in the order in which they were logged.
        image_steps: of each series of images the last step.
        model_epochs: epochs of the checkpoints that were logged as models.
        has_datasets: whether the data sets were logged.
        digests: of the content of each file that was logged since the run last began: one that is
            resumed writes its files anew.
        time_ms: of the last record, milliseconds since 1970; 0 before the first.
    """

    name: str | None = None
    status: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)
    image_steps: dict[str, int] = field(default_factory=dict)
    model_epochs: set[int] = field(default_factory=set)
    has_datasets: bool = False
    digests: dict[str, str | None] = field(default_factory=dict)
    time_ms: int = 0

    @property
    def metrics(self) -> dict[str, float]:
        """Of each metric the last value."""
        return {key: points[-1][1] for key, points in self.points.items()}

    @property
    def epochs(self) -> int:
        """How many epochs were logged."""
        return self.last_step("train/loss") + 1

    def last_step(self, key: str) -> int:
        """The highest step of a metric or a series of images; -1 where there is none."""
        steps = [step for step, _ in self.points.get(key, [])]
        return max([*steps, self.image_steps.get(key, -1)])

    def apply(self, record: Record) -> None:
        """Take in one more record."""
        self.time_ms = record.time_ms
        match record:
            case RunRecord():
                self.name = record.name
                self.tags |= record.tags
            case StatusRecord():
                self.status = record.status
                if record.status == "RUNNING":
                    self.digests.clear()
            case ArtifactRecord():
                self.digests[record.path] = record.digest
            case ParamsRecord():
                self.params |= record.params
            case TagsRecord():
                self.tags |= record.tags
            case MetricsRecord():
                for key, value in record.metrics.items():
                    self.points.setdefault(key, []).append((record.step, value))
            case ImageRecord():
                last = self.image_steps.get(record.key, -1)
                self.image_steps[record.key] = max(record.step, last)
                self.digests[record.path] = record.digest
            case ModelRecord():
                self.model_epochs.add(record.epoch)
            case DatasetsRecord():
                self.has_datasets = True


class JournalReader:
    """Follows a journal: a look costs what was appended since the last one.

    Args:
        path: the journal; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = RunState()
        self._offset = 0

    def state(self) -> RunState:
        """The state as it is now.

        Raises:
            JournalFormatError: another version wrote the journal.
        """
        if self._offset and self._size() < self._offset:  # it lost its end: all is read again
            self._state, self._offset = RunState(), 0
        for record, end in read_journal(self.path, self._offset):
            self._state.apply(record)
            self._offset = end
        return self._state

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0
