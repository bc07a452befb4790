"""The folders of a data set's splits: by their usual names, as given, or none."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from sightline.data.reading.scan import holds_images, subfolders
from sightline.data.source_data import SPLIT_WORDS, SPLITS
from sightline.errors import UserError, did_you_mean

log = logging.getLogger(__name__)

SHOWN = 10
AUTO, NONE = "auto", "none"
CHOOSE = (
    "data.splits={train: FOLDER, val: FOLDER, test: FOLDER} names the folders to use (the others "
    "are then ignored); data.splits=none takes every folder as a class."
)


def find_split_folders(base: Path, wanted: str | Mapping[str, str]) -> dict[str, Path] | None:
    """The folder of each split; None where every folder is a class.

    Args:
        base: the data's root.
        wanted: `auto`: folders with the usual names of splits, in any case, such as train,
            training, val, valid, validation, dev, test, testing; `none`; or a folder for each
            split, relative to `base`.

    Raises:
        UserError: two folders of one split, folders with images beside the splits, or no train.
    """
    if not isinstance(wanted, str):
        return _given(base, wanted)
    if wanted not in (AUTO, NONE):
        raise UserError(f"data.splits={wanted}: expected auto, none or {{train: FOLDER, ...}}.")
    if wanted == NONE:
        return None
    folders = subfolders(base)
    found: dict[str, list[str]] = {}
    for folder in folders:
        if (split := SPLIT_WORDS.get(folder.strip().lower())) is not None:
            found.setdefault(split, []).append(folder)
    if not found:
        _refuse_nested(base, folders)
        _check_not_splits(base, folders)
        return None
    twice = next((names for names in found.values() if len(names) > 1), None)
    if twice is not None:
        raise UserError(f"{base}: {' and '.join(twice)} are folders of one split. {CHOOSE}")
    used = [names[0] for names in found.values()]
    if "train" not in found:
        raise UserError(
            f"{base}: {' and '.join(used)} {'is a folder' if len(used) == 1 else 'are folders'} of "
            f"a split, but there is no folder train. {CHOOSE}"
        )
    others = [name for name in folders if name not in used and holds_images(base / name)]
    if others:
        raise UserError(
            f"{base}: {_list(others)} beside {' and '.join(used)} would not be used. {CHOOSE}"
        )
    return {split: base / found[split][0] for split in SPLITS if split in found}


def _given(base: Path, wanted: Mapping[str, str]) -> dict[str, Path]:
    for split in wanted:
        if split not in SPLITS:
            raise UserError(
                f"data.splits: {split!r} is no split; expected train, val and test."
                f"{did_you_mean(split, SPLITS)}"
            )
    if "train" not in wanted:
        raise UserError("data.splits: name the folder of train: data.splits={train: FOLDER, ...}.")
    folders = {split: base / wanted[split] for split in SPLITS if split in wanted}
    for split, folder in folders.items():
        if not folder.is_dir():
            hint = did_you_mean(wanted[split], subfolders(base))
            raise UserError(f"data.splits.{split}={wanted[split]}: {folder} is not there.{hint}")
    if len({folder.resolve() for folder in folders.values()}) < len(folders):
        raise UserError("data.splits: two splits have the same folder.")
    return folders


def _refuse_nested(base: Path, folders: list[str]) -> None:
    """Refuse splits that lie a level deeper than they would be read."""
    for folder in folders:
        inside = subfolders(base / folder)
        words = [SPLIT_WORDS.get(name.strip().lower()) for name in inside]
        if "train" in words and None not in words:
            one = len(folders) == 1
            what = f"give data.root={base / folder}" if one else f"expected {base}/train/{folder}"
            raise UserError(
                f"{base / folder} holds {' and '.join(inside)}, which look like splits: {what}, or "
                "data.splits=none to take them as parts of a class."
            )


def _check_not_splits(base: Path, folders: list[str]) -> None:
    """Refuse class folders that look like splits or parts of a set; warn of those that may be.

    Splits by their names: `seg_train` and `seg_test`, `train2017` and `val2017`. Where all hold the
    same folders one such name is enough, and so are names that differ in a number, as of folds.
    """
    words = {folder: _split_in(folder) for folder in folders}
    if "train" in words.values() and len(set(words.values())) > 1 and None not in words.values():
        given = ", ".join(f"{split}: {folder}" for folder, split in words.items())
        raise UserError(
            f"{base}: {_list(folders)} look like splits, not classes: data.splits={{{given}}} "
            "reads them so, data.splits=none takes every folder as a class."
        )
    inside = [set(subfolders(base / folder)) for folder in folders[:SHOWN]]
    if len(inside) < 2 or len(inside[0]) < 2 or any(each != inside[0] for each in inside):
        return
    alike = {re.sub(r"\d+", "", folder.lower()) for folder in folders}
    same = f"{_list(folders)} hold the same folders ({_list(sorted(inside[0]))})"
    if "train" in words.values() or (len(alike) == 1 and re.search(r"[^\W_]", alike.pop())):
        raise UserError(
            f"{base}: {same}, and look like splits or parts of one set, not like classes. {CHOOSE}"
        )
    log.warning(
        "%s: the classes %s. If these are the classes, and the others splits: "
        "data.splits={train: FOLDER, ...}.", base, same,
    )  # fmt: skip


def _split_in(folder: str) -> str | None:
    """The split that a part of a folder's name says: `seg_train`, `Test set`, `val2017`."""
    parts = re.findall(r"[^\W\d_]+", folder.lower())
    found = {SPLIT_WORDS[part] for part in parts if part in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def _list(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
