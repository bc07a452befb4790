"""Settings of one import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from sightline.config.options import as_tuple

Kind = Literal["probabilities", "logits"]
Splits = Annotated[tuple[Literal["train", "val", "test"], ...], BeforeValidator(as_tuple)]


def as_names(value: Any) -> Any:
    """Whole numbers as the names that they are: classes=[0,1]."""
    if not isinstance(value, list):
        return value
    return [str(each) if type(each) is int else each for each in value]


@dataclass(frozen=True)
class ImportSettings:
    """Settings of one import.

    Attributes:
        file: the table.
        name: of the run.
        splits: whose samples the table has, each of them once.
        kind: of the numbers; None: as the columns' names say, else probabilities.
        classes: names of numbers that the table does not name, in their order; empty: it does.
        id_column: the column of ids; None: found by its name.
        target_column: the column of targets; None: found by its name, if there is one.
        compare_targets: whether the table's targets have to be the data's.
        root: the folder of the images that the ids name, which are then joined by content where
            ids differ; None: by ids alone.
        seed: of the training; None where it is not known.
        report: whether report.html is written.
    """

    file: Path
    name: str
    splits: tuple[str, ...]
    kind: Kind | None = None
    classes: tuple[str, ...] = ()
    id_column: str | None = None
    target_column: str | None = None
    compare_targets: bool = True
    root: Path | None = None
    seed: int | None = None
    report: bool = True
