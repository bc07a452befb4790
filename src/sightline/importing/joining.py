"""The sample of each row of a stranger's table: by id, by path, or by the image's content."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from sightline.data.cache.digests import SIZE
from sightline.data.source_data import Split
from sightline.errors import UserError, counted
from sightline.importing.foreign_table import ForeignTable, nearest, shown
from sightline.io.regular import read_regular


@dataclass(frozen=True)
class Joined:
    """The rows of a table in the order of the data's samples.

    Attributes:
        rows: for each split, the row of each sample.
        how: how many were found by id, by path and by content.
    """

    rows: dict[str, np.ndarray]
    how: dict[str, int]

    def describe(self) -> str:
        """In words: "100 by id"."""
        return ", ".join(f"{count:,} by {name}" for name, count in self.how.items() if count)


def join(
    table: ForeignTable, splits: Mapping[str, Split], contents: Mapping[str, np.ndarray],
    wanted: Sequence[str], root: Path | None,
) -> Joined:  # fmt: skip
    """Match rows with samples.

    Args:
        table: the ids.
        splits: of the data, all of them.
        contents: content digests of each split's images, by the split's name.
        wanted: the splits that the table is of.
        root: folder of the table's images; None: they are not looked at.

    Raises:
        UserError: a row of no sample, or of one of another split; two rows of one sample; or
            samples without a row.
    """
    ids = [each for name in wanted for each in splits[name].ids.to_pylist()]
    digests = [contents[name][splits[name].rows] for name in wanted]
    places = _by_id(table, ids)
    found = [("id", len(places))]
    places |= _by_path(table, ids, places)
    found.append(("path", len(places) - sum(count for _, count in found)))
    if root is not None:
        places |= _by_content(table, np.concatenate(digests), places, root)
    found.append(("content", len(places) - sum(count for _, count in found)))
    _check_rows(table, splits, wanted, places, root)
    row_of = _rows_of_samples(table, ids, places)
    parts = np.split(row_of, np.cumsum([len(splits[name]) for name in wanted])[:-1])
    return Joined(dict(zip(wanted, parts, strict=True)), dict(found))


def _by_id(table: ForeignTable, ids: Sequence[str]) -> dict[int, int]:
    position = {name: index for index, name in enumerate(ids)}
    return {row: position[name] for row, name in enumerate(table.ids) if name in position}


def _by_path(table: ForeignTable, ids: Sequence[str], known: Mapping[int, int]) -> dict[int, int]:
    """Of a file's name, or a path that begins elsewhere: the one sample whose path ends alike."""
    whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
    ends: dict[tuple[str, ...], list[int]] = defaultdict(list)  # of two samples at most
    for index, name in enumerate(ids):
        parts = _parts(name)
        whole[parts].append(index)
        for start in range(len(parts)):
            if len(ends[parts[start:]]) < 2:
                ends[parts[start:]].append(index)
    lengths = sorted(set(map(len, whole)) - {0})
    found: dict[int, int] = {}
    for row, name in enumerate(table.ids):
        own = _parts(name)
        if row in known or not own:
            continue
        longer = [i for n in lengths if n <= len(own) for i in whole.get(own[-n:], [])]
        alike = sorted({*longer, *ends.get(own, [])})
        if len(alike) > 1:
            raise UserError(
                f"{table.row(row)}: several samples of the data end in this path, such as "
                f"{shown(ids[alike[0]])} and {shown(ids[alike[1]])}. Write more of each "
                "path into the table (timm: --fullname)."
            )
        if alike:
            found[row] = alike[0]
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name.replace("\\", "/")).parts if part != "/")


def _by_content(
    table: ForeignTable, digests: np.ndarray, known: Mapping[int, int], root: Path
) -> dict[int, int]:
    """Of an image under `root` with the bytes of a sample's; a path that leaves it is not read."""
    taken = set(known.values())
    free: dict[bytes, list[int]] = defaultdict(list)
    for index in range(len(digests) - 1, -1, -1):
        if index not in taken and digests[index].any():
            free[digests[index].tobytes()].append(index)
    found = {}
    for row, name in enumerate(table.ids):
        content = None if row in known else _content(root, name)
        if content is not None and (same := free.get(content)):
            found[row] = same.pop()  # of samples of one content any: a model predicts them alike
    return found


def _content(root: Path, name: str) -> bytes | None:
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root.resolve()):
            return None
        return hashlib.blake2b(read_regular(path), digest_size=SIZE).digest()
    except (OSError, ValueError):
        return None  # of no file there


def _check_rows(
    table: ForeignTable, splits: Mapping[str, Split], wanted: Sequence[str],
    places: Mapping[int, int], root: Path | None,
) -> None:  # fmt: skip
    unknown = [row for row in range(len(table.ids)) if row not in places]
    if not unknown:
        return
    names = [table.ids[row] for row in unknown]
    others = {name: set(split.ids.to_pylist()) for name, split in splits.items()
              if name not in wanted}  # fmt: skip
    elsewhere = [name for name, ids in others.items() if any(each in ids for each in names)]
    asked = " and ".join(wanted)
    if elsewhere:
        every = ",".join(name for name in splits if name in {*wanted, *elsewhere})
        advice = (f"Some are in {' and '.join(elsewhere)}: give split=[{every}], or leave these "
                  "rows out.")  # fmt: skip
    else:
        first = splits[wanted[0]].ids[0].as_py()
        near = nearest(names[0], splits[wanted[0]].ids.to_pylist())
        look = "" if root is not None else " root=FOLDER of the images joins them by content."
        advice = f"The data's ids are such as {shown(first)}.{near}{look}"
    raise UserError(
        f"{table.row(unknown[0])}: {counted(len(unknown), 'row is', 'rows are')} of no sample of "
        f"{asked}. {advice}"
    )


def _rows_of_samples(
    table: ForeignTable, ids: Sequence[str], places: Mapping[int, int]
) -> np.ndarray:
    row_of = np.full(len(ids), -1, np.int64)
    for row, place in places.items():
        if row_of[place] >= 0:
            other = table.ids[row_of[place]]
            raise UserError(
                f"{table.row(row)}: this row and that of {shown(other)} are of one sample, "
                f"{shown(ids[place])}; each has one row."
            )
        row_of[place] = row
    lacking = np.flatnonzero(row_of < 0)
    if len(lacking):
        raise UserError(
            f"{table.file} has no row of {counted(len(lacking), 'sample')} of the data's "
            f"{len(ids):,}, such as {shown(ids[lacking[0]])}. Only all samples together compare "
            "with other runs: predict the rest too, or give the split that the table is of."
        )
    return row_of
