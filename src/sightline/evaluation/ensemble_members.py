"""The members of an ensemble: finished runs, checked to fit together, with stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DamagedError, UserError
from sightline.inference.identity import Identity
from sightline.inference.load import read_checkpoint
from sightline.predictions import Predictions
from sightline.runs.known_names import GROUP
from sightline.tracking.mlflow.queries import key_of
from sightline.tracking.mlflow.run_groups import runs_of_group
from sightline.tracking.mlflow.stored_run import StoredRun, find_checkpoint_file

# What of the preprocessing the members' own normalisation makes up for.
NORMALISED = ("mean", "std")


@dataclass(frozen=True)
class Member:
    """One run of an ensemble.

    Attributes:
        run: with its stored predictions.
        checkpoint: its best one.
        identity: what the checkpoint says of its model.
    """

    run: StoredRun
    checkpoint: Path
    identity: Identity

    @property
    def key(self) -> str:
        """Its id, or its folder."""
        return key_of(self.run)

    def table(self, split: str) -> Predictions | None:
        """The stored predictions of a split; None where it was not evaluated.

        Raises:
            DamagedError: they are not as they were logged, or not of the checkpoint's classes.
            UserError: they do not fit into the free memory.
        """
        try:
            path = self.run.file(f"predictions/{split}.parquet")
        except DamagedError:
            raise
        except UserError:
            return None
        table = Predictions.read(path)
        if list(table.class_names) != self.identity.class_names:
            raise DamagedError(path, f"its classes are not those of {self.checkpoint}")
        return table


def find_members(names: Sequence[str], uri: str | None) -> list[Member]:
    """The runs that are named, each once; `group:NAME` is all finished runs of a group.

    Raises:
        UserError: there is no such run, it has no MLflow run or folder, or there are fewer than
            two.
    """
    found: dict[str, Member] = {}
    wanted: list[str] = []
    for name in names:
        if name.startswith(GROUP):
            runs = runs_of_group(name.removeprefix(GROUP), uri)
            wanted += [str(run.run_id) for run in runs]
        else:
            wanted.append(name)
    for name in wanted:
        checkpoint, run = find_checkpoint_file(name, uri)
        if run is None:
            raise UserError(
                f"runs: {name} is a checkpoint without its run, whose stored predictions an "
                "ensemble is made of; give the run."
            )
        found.setdefault(
            key_of(run), Member(run, checkpoint, read_checkpoint(checkpoint)["sightline"])
        )
    if len(found) < 2:
        raise UserError(f"runs={list(names)}: expected two or more different runs.")
    members = list(found.values())
    _check_alike(members)
    return members


def _check_alike(members: Sequence[Member]) -> None:
    first = members[0]
    for other in members[1:]:
        pair = f"{first.run.name!r} ({first.key}) and {other.run.name!r} ({other.key})"
        one, two = _facts(first), _facts(other)
        for words in one | two:
            own, others = one.get(words), two.get(words)
            if own != others:
                raise UserError(
                    f"runs: the {words} of {pair} differ ({_short(own)} and {_short(others)}): no "
                    "ensemble of them."
                )


def _facts(member: Member) -> dict[str, Any]:
    identity = member.identity
    preprocess = {k: v for k, v in identity.preprocess.items() if k not in NORMALISED}
    return {
        "label mode": identity.config["label_mode"]["_target_"].rsplit(".", 1)[-1].lower(),
        "classes": list(identity.class_names),
        **{f"preprocessing's {key}": value for key, value in preprocess.items()},
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def common_tables(members: Sequence[Member], split: str) -> list[Predictions] | None:
    """The members' tables of a split, of the same samples in the first one's order.

    Returns:
        None where one has none, or they are of other samples (folds, other splits).

    Raises:
        UserError: the same samples have other targets, or a table is damaged.
    """
    tables = [each.table(split) for each in members]
    first = tables[0]
    if first is None:
        return None
    ordered = [first]
    for member, table in zip(members[1:], tables[1:], strict=True):
        if table is None or len(table) != len(first):
            return None
        places = {name: place for place, name in enumerate(table.ids.tolist())}
        if len(places) != len(first) or any(name not in places for name in first.ids.tolist()):
            return None
        own = table.select(np.array([places[name] for name in first.ids.tolist()]))
        if not np.array_equal(own.targets, first.targets):
            raise UserError(
                f"runs: samples of {split} have other targets in {member.run.name!r} "
                f"({member.key}) than in {members[0].run.name!r}: no ensemble of them."
            )
        ordered.append(replace(own, metadata=first.metadata, groups=first.groups))
    return ordered
