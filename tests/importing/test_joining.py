"""The sample of each row: by id, by the end of a path, by the image's content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import Split, take
from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable
from sightline.importing.joining import Joined, join

IDS = ("a/1.png", "a/2.png", "b/1.png", "b/3.png")


def split(ids: tuple[str, ...]) -> Split:
    images = ArrayImages(np.zeros((len(ids), 2, 2, 3), np.uint8))
    return take(list(ids), np.zeros(len(ids), int), images)


def joined(*names: str, root: Path | None = None, contents: np.ndarray | None = None) -> Joined:
    table = ForeignTable(Path("t.csv"), pa.table({"id": names}), "id", names, None)
    digests = np.zeros((4, 16), np.uint8) if contents is None else contents
    splits = {"val": split(("c/9.png",)), "test": split(IDS)}
    known = {"val": np.ones((1, 16), np.uint8), "test": digests}
    return join(table, splits, known, ["test"], root)


def test_rows_are_in_the_order_of_the_samples() -> None:
    found = joined("b/3.png", "a/2.png", "a/1.png", "b/1.png")
    assert found.rows["test"].tolist() == [2, 1, 3, 0]
    assert found.describe() == "4 by id"


def test_paths_that_begin_elsewhere_and_bare_names() -> None:
    found = joined("/x/y/b/1.png", "3.png", ".\\a\\2.png", "a/1.png")
    assert found.rows["test"].tolist() == [3, 2, 0, 1]
    assert found.how == {"id": 1, "path": 3, "content": 0}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("1.png", "a/2.png", "b/1.png", "b/3.png"),
            "several samples of the data end in this path",
        ),
        (("a/1.png", "x/a/1.png", "b/1.png", "b/3.png"), "are of one sample, 'a/1.png'"),
        (IDS[:3], r"no row of 1 sample of the data's 4, such as 'b/3.png'"),
        ((*IDS, "c/9.png"), r"Some are in val: give split=\[val,test\]"),
        ((*IDS, "a/11.png"), r"row 5 \('a/11.png'\): 1 row is of no sample of test.*'a/1.png'"),
        ((*IDS, "x" * 10**6), "1 row is of no sample"),
    ],
)
def test_tables_of_other_samples_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        joined(*names)


def test_images_are_joined_by_content_within_their_folder(tmp_path: Path) -> None:
    from sightline.data.cache.digests import content_digests
    from sightline.data.reading.images import FileImages

    root = tmp_path / "renamed"
    root.mkdir()
    for number in range(4):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(root / f"img{number}.png")
    (tmp_path / "outside.png").write_bytes((root / "img3.png").read_bytes())
    files = [str(root / f"img{number}.png") for number in (2, 0, 3, 1)]
    contents = content_digests(FileImages(tmp_path, pa.array(files)))
    found = joined(*(f"img{i}.png" for i in range(4)), root=root, contents=contents)
    assert found.rows["test"].tolist() == [2, 0, 3, 1]
    assert found.describe() == "4 by content"
    with pytest.raises(UserError, match="outside"):
        joined("img0.png", "img1.png", "img2.png", "../outside.png", root=root, contents=contents)
