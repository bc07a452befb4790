"""The task of a run by its parameters: label mode, classes and data. Tasks do not compare."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sightline.config.data_name import data_name
from sightline.config.influence import OF_A_FOLD

CLASSES = "data.classes"
RANKED = ("val",)  # what trainings are ranked by, where nothing else is asked for
FOLDS = ("data.folds", "data.split_seed")  # what the folds of one division share


@dataclass(frozen=True)
class TaskFacts:
    """What runs of one task share.

    Attributes:
        label_mode: binary, multiclass or multilabel; None where the runs do not say.
        classes: how many, and a digest of their names; None likewise.
        data: name of the data set, or names of its copies; it is not compared.
        digests: of the splits that are compared, by split; for folds of test, which they share.
        folds: their number and seed, by parameter; empty where there are none.
    """

    label_mode: str | None
    classes: str | None
    data: str
    digests: Mapping[str, str | None]
    folds: Mapping[str, str]

    @property
    def key(self) -> tuple[str | None, ...]:
        """What must be equal, beside the classes, which older runs do not log."""
        return (self.label_mode, *self.digests.values(), *self.folds.values())

    @property
    def title(self) -> str:
        """The task in a line."""
        classes = self.classes.partition(" ")[0] + " classes" if self.classes else None
        folds = f"{self.folds[FOLDS[0]]} folds" if self.folds else None
        digests = [f"{name} {(value or 'not known')[:8]}" for name, value in self.digests.items()]
        return ", ".join(filter(None, [self.label_mode, self.data, classes, folds, *digests]))

    @property
    def folder(self) -> str:
        """The title as the name of a folder."""
        return _as_name(self.title)[:100]

    @property
    def name(self) -> str:
        """A short name that no other task has, for keys: `multiclass-digits-1a2b3c4d`."""
        facts = "\0".join(map(str, (*self.key, self.classes)))
        digest = hashlib.blake2b(facts.encode(), digest_size=4).hexdigest()
        words = _as_name(" ".join(filter(None, [self.label_mode, self.data])))[:60]
        return "-".join(filter(None, [words, digest]))

    @property
    def search_filter(self) -> str:
        """The runs of this task, as a filter of MLflow's search."""
        wanted = {
            "label_mode": self.label_mode,
            CLASSES: self.classes,
            **{f"data.digest.{split}": digest for split, digest in self.digests.items()},
            **self.folds,
        }
        return " and ".join(
            f"params.`{key}` = '{value}'" for key, value in wanted.items() if value is not None
        )


def task_facts(params: Mapping[str, str], splits: Sequence[str] = RANKED) -> TaskFacts:
    """The task of a run.

    Args:
        params: of the run.
        splits: which are ranked by and tested on: their data tells tasks apart.
    """
    folds = {key: params[key] for key in FOLDS if key in params} if FOLDS[0] in params else {}
    if folds:  # test stands for what is another part in each fold
        shared = ("test" if f"data.digest.{split}" in OF_A_FOLD else split for split in splits)
        splits = tuple(dict.fromkeys(shared))
    return TaskFacts(
        params.get("label_mode"), params.get(CLASSES), data_name(params),
        {split: params.get(f"data.digest.{split}") for split in splits}, folds,
    )  # fmt: skip


def _as_name(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text).strip("-")
