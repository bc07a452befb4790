"""Labels of samples in tar shards: KEY.cls, or a key of KEY.json."""

import json
from typing import Any

import numpy as np

from sightline.errors import UserError, did_you_mean, first_line

DIGITS = 9  # of a class's number at most


class Labels:
    """Reader of a sample's label file."""

    def __init__(
        self, class_names: tuple[str, ...], label_key: str | None, multi_label: bool
    ) -> None:
        self.class_names = class_names
        self.index = {name: position for position, name in enumerate(class_names)}
        self.label_key = label_key
        self.multi_label = multi_label

    def read(self, sample: dict[str, Any]) -> Any:
        """A class index; of several labels a row of 0 and 1.

        Raises:
            UserError: names the shard and the sample.
        """
        where = f"{sample['__url__']}, sample {sample['__key__']!r}"
        if self.label_key is not None:
            if "json" not in sample:
                raise UserError(f"{where}: it has no .json file for data.label_key.")
            label = _object(sample["json"], where).get(self.label_key)
        elif "cls" in sample:
            label = _number(sample["cls"].decode(errors="replace").strip())
        else:
            raise UserError(f"{where}: it has no .cls file; give data.label_key for a .json file.")
        if not self.multi_label:
            return self._index(label, where)
        row = np.zeros(len(self.class_names), np.int8)
        labels = label if isinstance(label, list) else [each for each in str(label).split() if each]
        for each in labels:
            row[self._index(_number(each) if isinstance(each, str) else each, where)] = 1
        return row

    def _index(self, label: Any, where: str) -> int:
        if isinstance(label, int) and 0 <= label < len(self.class_names):
            return label
        if not isinstance(label, str) or label not in self.index:
            raise UserError(
                f"{where}: the class {label!r:.80} is not one of data.class_names."
                f"{did_you_mean(str(label)[:80], self.class_names)}"
            )
        return self.index[label]


def _object(content: bytes, where: str) -> dict[str, Any]:
    """The object of a .json file."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: its .json file cannot be read: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise UserError(f"{where}: its .json file holds no object, but a {type(found).__name__}.")
    return found


def _number(text: str) -> int | str:
    """A class's number, or its name; the number of no class is too long for one."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS else text
