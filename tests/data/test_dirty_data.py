"""Dirty data: each kind works, or gets one message that names the file, the row and the column."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.configs import data_config
from support.data_sets import encoded, huggingface_table, ids, make_files, make_image, source

from sightline.data.reading.decode import UnreadableImage, read_image
from sightline.data.splits.make import make_splits
from sightline.errors import UserError

Options = dict[str, object]
Case = tuple[str | bytes, Options, list[str]]
SEVERAL: Options = {"multi_label": True}

# The file's text, options beside the path, and what the message names.
REFUSED: dict[str, Case] = {
    "missing image column": ("img_file,label\na.png,x\n", {}, ["m.csv", "data.image_column=image"]),
    "misspelt image column": (
        "imagee,label\na.png,x\n", {"image_column": "image"}, ["m.csv", "data.image_column=imagee"],
    ),
    "missing label column": ("image,other\na.png,x\n", {}, ["m.csv", "no column of labels"]),
    "misspelt label column": (
        "image,label\na.png,x\n", {"label_column": "labell"}, ["data.label_column=labell", "'label'"],
    ),
    "both label options": (
        "image,label,x\na.png,x,1\n", {"label_column": "label", "label_columns": ["x"]},
        ["not both"],
    ),
    "duplicate rows, other label": (
        "image,label,s\na.png,x,1\na.png,y,1\nb.png,x,1\nb.png,x,2\n", {},
        ["'image'", "2 rows", "'a.png' in rows 1 and 2 (label 'x' and 'y')",
         "'b.png' in rows 3 and 4 (s '1' and '2')"],
    ),
    "some rows in no split": (
        "image,label,Subset\na.png,x,train\nb.png,y,extra\n", {},
        ["'Subset'", "'extra' is not train, val or test", "data.split_column=none"],
    ),
    "two columns of splits": (
        "image,label,split,set\na.png,x,train,train\nb.png,y,test,train\n", {},
        ["'split' and 'set' both look like", "data.split_column=NAME"],
    ),
    "a path on Windows": (
        "image,label\nC:\\img\\a.png,x\n", {}, ["row 1", "drive of Windows", "data.root"],
    ),
    "an address": ("image,label\nhttps://x.org/a.png,x\n", {}, ["row 1", "Download it"]),
    "blank file name": ("image,label\na.png,x\n  ,y\n", {}, ["row 2", "'image'", "blank"]),
    "empty file name": ("image,label\na.png,x\n,y\n", {}, ["row 2", "'image'", "blank"]),
    "missing label": ("image,label\na.png,x\nb.png,\n", {}, ["row 2", "'label'", "missing"]),
    "label of spaces": ("image,label\na.png,x\nb.png,  \n", {}, ["row 2", "'label'", "missing"]),
    "unknown split": (
        "image,label,s\na.png,x,train\nb.png,y,holdout\n", {"split_column": "s"},
        ["row 2", "'s'", "'holdout'"],
    ),
    "empty split cell": (
        "image,label,s\na.png,x,train\nb.png,y,\n", {"split_column": "s"}, ["row 2", "'s'"],
    ),
    "no row in train": (
        "image,label,s\na.png,x,test\nb.png,y,val\n", {"split_column": "s"}, ["'s'", "train"],
    ),
    "missing split column": ("image,label\na.png,x\n", {"split_column": "s"}, ["data.split_column=s"]),
    "missing group column": ("image,label\na.png,x\n", {"group_column": "g"}, ["data.group_column=g"]),
    "missing group": (
        "image,label,g\na.png,x,1\nb.png,y,\n", {"group_column": "g"}, ["row 2", "'g'"],
    ),
    "missing metadata column": (
        "image,label\na.png,x\n", {"metadata_columns": ["site"]}, ["data.metadata_columns=site"],
    ),
    "class only in test": (
        "image,label,s\na.png,x,train\nb.png,y,train\nc.png,z,test\n", {"split_column": "s"},
        ["row 3", "'label'", "'z'", "not in train"],
    ),
    "class only in val, near a real one": (
        "image,label,s\na.png,cat,train\nb.png,dog,train\nc.png,cats,val\n", {"split_column": "s"},
        ["row 3", "'label'", "Did you mean 'cat'"],
    ),
    "several labels in one-class mode": (
        "image,a,b\nx.png,1,1\ny.png,0,1\n", {}, ["row 1", "2 of them are 1"],
    ),
    "no label in one-class mode": ("image,a,b\nx.png,1,0\ny.png,0,0\n", {}, ["row 2", "0 of them"]),
    "no separator": (
        "image,label\na.png,x|y\nb.png,x\n", SEVERAL, ["'label'", "data.label_separator"],
    ),
    "broken JSON list": (
        'image,label\na.png,"[""x""]"\nb.png,"[x"\n', SEVERAL, ["row 2", "'label'", "JSON"],
    ),
    "word in a 0/1 column": (
        "image,x,y\na.png,1,0\nb.png,maybe,1\n", {**SEVERAL, "label_columns": ["x", "y"]},
        ["row 2", "'x'", "'maybe'"],
    ),
    "number in a 0/1 column": (
        "image,x,y\na.png,1,0\nb.png,0,2\n", {**SEVERAL, "label_columns": ["x", "y"]},
        ["row 2", "'y'", "'2'"],
    ),
    "label known in no train row": (
        "image,label,s\na.png,,train\nb.png,x,test\n",
        {**SEVERAL, "label_separator": "|", "split_column": "s"}, ["'label'", "no row of train"],
    ),
    "absolute path": ("image,label\n/etc/passwd,x\n", {}, ["row 1", "'image'", "leads out of"]),
    "path out of the root": ("image,label\n../../b.png,x\n", {}, ["row 1", "'image'", "leads out"]),
    "hidden path out of the root": (
        "image,label\na/../../b.png,x\n", {}, ["row 1", "'image'", "data.allow_outside"],
    ),
    "too few cells": (
        "image,label\na.png,x\nb.png\n", {}, ["m.csv, line 3: 1 cell between commas", "has 2 (image"],
    ),
    "too many cells": ("image,label\na.png,x\nb.png,y,z\n", {}, ["m.csv, line 3: 3 cells"]),
    "too few cells below comments": (
        "sep=;\n# v2\nimage;label\na.png;x\nb.png\n", {}, ["line 5: 1 cell between semicolons"],
    ),
    "a title above the names": (
        "My data\n\nimage,label\na.png,x\n", {}, ["line 3: 2 cells", "no part of the table"],
    ),
    "a separator that is none": ("sep=_\nimage_label\na.png_x\n", {}, ["m.csv", "separator '_'"]),
    "spaces between columns": (
        "image label\na.png x\n", {},
        ["3 problems", "a single column; expected commas or semicolons or tabs or vertical bars"],
    ),
    "no line of names": ("a.png,x\nb.png,y\n", {}, ["first line holds values (a.png, x)"]),
    "one file in two spellings": (
        "image,label\nd/a.png,x\n./d//a.png,y\n", {}, ["'d/a.png' in rows 1 and 2", "'x' and 'y'"],
    ),
    "one file in two spellings, outside": (
        "image,label\n../a.png,x\nb/../../a.png,y\n", {"allow_outside": True},
        ["in rows 1 and 2", "'x' and 'y'"],
    ),
    "column twice": ("image,label,label\na.png,x,y\n", {}, ["m.csv", "'label'", "twice"]),
    "empty file": ("", {}, ["m.csv is empty"]),
    "header alone": ("image,label\n", {}, ["m.csv", "no rows"]),
    "latin-1": (
        "image,label\nb.png,x\na.png,caf\xe9\n".encode("latin-1"), {},
        ["m.csv, line 3 is not UTF-8", r"a.png,caf\xe9"],
    ),
    "missing root": ("image,label\na.png,x\n", {"root": "nowhere"}, ["data.root=nowhere"]),
}  # fmt: skip


def manifest(tmp_path: Path, text: str | bytes, options: Options) -> object:
    path = tmp_path / "m.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return source("manifest", path=str(path), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REFUSED)
def test_a_dirty_manifest_is_refused_by_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, options, expected = REFUSED[name]
    with pytest.raises(UserError) as error:
        manifest(tmp_path, text, options)
    for part in expected:
        assert part in str(error.value), str(error.value)


# The file's text, options, and the exact table that is loaded: ids, class names, targets.
Loaded = tuple[str | bytes, Options, list[str], tuple[str, ...], list[object]]
LOADED: dict[str, Loaded] = {
    "BOM": (
        "\ufeffimage,label\na.png,x\nb.png,y\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "UTF-16": (
        "image;label\na.png;été\nb.png;y\n".encode("utf-16"), {}, ["a.png", "b.png"],
        ("y", "été"), [1, 0],
    ),
    "UTF-16 without a mark": (
        "image,label\na.png,x\nb.png,y\n".encode("utf-16-be"), {}, ["a.png", "b.png"],
        ("x", "y"), [0, 1],
    ),
    "UTF-32": (
        "image,label\na.png,x\nb.png,y\n".encode("utf-32"), {}, ["a.png", "b.png"],
        ("x", "y"), [0, 1],
    ),
    "the separator stated": (
        "\ufeffsep=;\r\nimage;label;of, two\r\na.png;x;1,5\r\nb.png;y;2,5\r\n", {},
        ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "the separator stated in quotes": (
        '"sep=\t"\nimage\tlabel\na.png\tx\nb.png\ty\n', {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "comments above": (
        "# made by me, on Monday\n#\nimage;label\na.png;x\nb.png;y\n", {}, ["a.png", "b.png"],
        ("x", "y"), [0, 1],
    ),
    "comments above the separator": (
        "# v2\n\n# v3\nSEP=;;\nimage;label\na.png;x\nb.png;y\n", {}, ["a.png", "b.png"],
        ("x", "y"), [0, 1],
    ),
    "comments between and below": (
        "image,label\n# cats\na.png,x\n# dogs, and others, too\nb.png,y\n# 2 rows\n", {},
        ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "names that begin like a comment": (
        "# v2\n#image,label\na.png,x\nb.png,y\n", {"image_column": "#image"}, ["a.png", "b.png"],
        ("x", "y"), [0, 1],
    ),
    "files that begin like a comment": (
        "image,label\n#1.png,x\n#2.png,y\n", {}, ["#1.png", "#2.png"], ("x", "y"), [0, 1],
    ),
    "one file in two spellings": (
        "image,label\n./a.png,x\nb.png,y\na.png,x\n", {}, ["./a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "semicolons and decimal commas": (
        "image;label;score\na.png;x;0,5\nb.png;y;1,5\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "commas within semicolons": (
        "image;label, of two\na.png;x\nb.png;y\n", {"label_column": "label, of two"},
        ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "tabs in a .csv": ("image\tlabel\na.png\tx\nb.png\ty\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1]),
    "trailing commas": ("image,label,,\na.png,x,,\nb.png,y,,\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1]),
    "trailing commas in rows": (
        "image,label\na.png,x,\nb.png,y,,\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "the index of a data frame": (
        ",image,label\n0,a.png,x\n1,b.png,y\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "backslashes": (
        "image,label\nd\\a.png,x\nd\\e\\b.png,y\n", {}, ["d/a.png", "d/e/b.png"], ("x", "y"), [0, 1],
    ),
    "file addresses": (
        "image,label\nfile:///d/a%20b.png,x\nfile:///d/b.png,y\n", {"allow_outside": True},
        ["/d/a b.png", "/d/b.png"], ("x", "y"), [0, 1],
    ),
    "exact repeats": (
        "image,label\na.png,x\nb.png,y\na.png,x\na.png,x\n", {}, ["a.png", "b.png"], ("x", "y"),
        [0, 1],
    ),
    "forms of one word": (
        "image,label\na.png,caf\u00e9\nb.png,cafe\u0301\nc.png,x\nd.png,\uff58\ne.png,x\u200b\n", {},
        ["a.png", "b.png", "c.png", "d.png", "e.png"], ("caf\u00e9", "x"), [0, 0, 1, 1, 1],
    ),
    "a column called split that holds something else": (
        "image,label,split\na.png,x,left\nb.png,y,right\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "a column of splits that is not used": (
        "image,label,split\na.png,x,train\nb.png,y,test\n", {"split_column": "none"},
        ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "spaces around names of columns": (
        " image , label\na.png,x\nb.png,y\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "quotes and commas": (
        'image,label\n"a, b.png","x ""y"""\nc.png,z\n', {}, ["a, b.png", "c.png"],
        ('x "y"', "z"), [0, 1],
    ),
    "windows line ends": (
        "image,label\r\na.png,x\r\nb.png,y\r\n", {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "no line end at the end": ("image,label\na.png,x\nb.png,y", {}, ["a.png", "b.png"], ("x", "y"), [0, 1]),
    "line break in a cell": (
        'image,label,note\na.png,x,"two\nlines"\nb.png,y,\n', {}, ["a.png", "b.png"], ("x", "y"), [0, 1],
    ),
    "unicode": (
        "image,label\nдом/кот.png,кошка\n猫.png,犬\n", {}, ["дом/кот.png", "猫.png"],
        ("кошка", "犬"), [0, 1],
    ),
    "numbers as classes": (
        "image,label\na.png,10\nb.png,9\nc.png,2\n", {}, ["a.png", "b.png", "c.png"],
        ("2", "9", "10"), [2, 1, 0],
    ),
    "leading zeros": (
        "image,label\na.png,007\nb.png,7\n", {}, ["a.png", "b.png"], ("007", "7"), [0, 1],
    ),
    "a class called nan": (
        "image,label\na.png,nan\nb.png,null\n", {}, ["a.png", "b.png"], ("nan", "null"), [0, 1],
    ),
    "stray spaces": (
        "image,label\na.png, x\nb.png,x \nc.png,y\n", {}, ["a.png", "b.png", "c.png"],
        ("x", "y"), [0, 0, 1],
    ),
    "mixed case": (
        "image,label\na.png,Cat\nb.png,cat\n", {}, ["a.png", "b.png"], ("Cat", "cat"), [0, 1],
    ),
    "suffix is added once": (
        "image,label\na,x\nb.png,y\nv1.2,z\n", {"image_suffix": ".png"},
        ["a.png", "b.png", "v1.2.png"], ("x", "y", "z"), [0, 1, 2],
    ),
    "dots inside the root": (
        "image,label\nx/../a.png,x\n./b.png,y\n", {}, ["a.png", "./b.png"], ("x", "y"), [0, 1],
    ),
    "allowed outside": (
        "image,label\n../a.png,x\n/b.png,y\n", {"allow_outside": True}, ["../a.png", "/b.png"],
        ("x", "y"), [0, 1],
    ),
    "one class alone": ("image,label\na.png,x\nb.png,x\n", {}, ["a.png", "b.png"], ("x",), [0, 0]),
    "all labels of a row missing": (
        "image,x,y\na.png,,\nb.png,1,0\n", SEVERAL, ["a.png", "b.png"], ("x", "y"),
        [[-1, -1], [1, 0]],
    ),
    "labels repeated in a cell": (
        "image,label\na.png,x|y|x\nb.png,y\n", {**SEVERAL, "label_separator": "|"},
        ["a.png", "b.png"], ("x", "y"), [[1, 1], [0, 1]],
    ),
    "spaces around the separator": (
        "image,label\na.png,x | y\nb.png,y\n", {**SEVERAL, "label_separator": "|"},
        ["a.png", "b.png"], ("x", "y"), [[1, 1], [0, 1]],
    ),
    "text column beside 0/1 columns": (
        "image,note,x,y\na.png,hello,1,0\nb.png,,0,1\n", SEVERAL, ["a.png", "b.png"], ("x", "y"),
        [[1, 0], [0, 1]],
    ),
    "one 0/1 column as binary": (
        "image,ill\na.png,1\nb.png,0\n", {"label_columns": ["ill"]}, ["a.png", "b.png"],
        ("not ill", "ill"), [1, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOADED)
def test_a_dirty_manifest_that_works_gives_exactly_this_table(name: str, tmp_path: Path) -> None:
    text, options, expected_ids, names, targets = LOADED[name]
    data = manifest(tmp_path, text, options)
    assert ids(data) == expected_ids  # type: ignore[arg-type]
    assert data.class_names == names  # type: ignore[attr-defined]
    assert data.splits["train"].targets.tolist() == targets  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("stray spaces", "row 1, column 'label'"),
        ("mixed case", "'Cat' and 'cat'"),
        ("leading zeros", "'007' and '7'"),
        ("forms of one word", r"'cafe\u0301' is read as 'café'"),
        ("UTF-16", "read with UTF-16; semicolons between columns"),
        ("trailing commas", "2 empty columns without a name left out"),
        ("backslashes", "2 paths with backslashes are read as 'd/a.png'"),
        ("file addresses", "2 paths with addresses are read as '/d/a b.png'"),
    ],
)
def test_changes_and_similar_names_are_logged(
    name: str, logged: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        manifest(tmp_path, LOADED[name][0], LOADED[name][1])
    assert logged in caplog.text


@pytest.mark.parametrize("column", ["split", "Set", "fold", "mode", "Data Type"])
def test_a_column_of_splits_is_found(column: str, tmp_path: Path) -> None:
    text = f"image,label,{column}\na.png,x,Train\nb.png,y,training\nc.png,x,dev\nd.png,y,TEST\n"
    data = manifest(tmp_path, text, {})
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 2, "val": 1, "test": 1,
    }  # fmt: skip
    assert data.notes == (f"reads the splits from the column {column!r}",)


def test_a_usual_name_comes_before_values_alone(tmp_path: Path) -> None:
    text = "image,label,mode,split\na.png,x,test,train\nb.png,y,train,train\nc.png,x,train,test\n"
    data = manifest(tmp_path, text, {})
    assert data.notes == ("reads the splits from the column 'split'",)
    with pytest.raises(UserError, match="'mode' and 'kind' both look like"):
        manifest(tmp_path, text.replace("split", "kind"), {})


@pytest.mark.parametrize("column", ["is_valid", "IsTest", "in train"])
def test_a_flag_of_a_split_is_said_to_be_no_split(
    column: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = manifest(tmp_path, f"image,label,{column}\na.png,x,0\nb.png,y,1\n", {})
    assert list(data.splits) == ["train"]
    assert f"the column {column!r} is not read as the split of each row" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"image": ["a.png", "b.png"], "label": ["x", "y"]}', "one object with lists"),
     ('{"data": [{"image": "a.png", "label": "x"}]}', "one object with lists"),
     ('{"a.png": "x", "b.png": "y"}', "one object from names of images; expected an object a line"),
     ('{"image": {"0": "a.png"}, "label": {"0": "x"}}', "one object of objects"),
     ('{"image": ["a.png"], "label": "x"}\n{"image": ["b.png"], "label": "y"}',
      "column 'image': expected a path a row, not lists")],
)  # fmt: skip
def test_json_of_another_shape_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UserError, match=said):
        source("manifest", path=str(tmp_path / "m.json"))


def test_columns_found_to_hold_labels_are_said(tmp_path: Path) -> None:
    text = "image,ill,old,age,split\na.png,1,0,30,train\nb.png,0,1,40,test\n"
    said = "the labels are the columns of 0 and 1: ill, old, and other values in age"
    assert manifest(tmp_path, text, SEVERAL).notes == (  # type: ignore[attr-defined]
        "reads the splits from the column 'split'", said,
    )  # fmt: skip
    with pytest.raises(UserError, match=said.replace("age", "age, split")):
        manifest(tmp_path, text, {**SEVERAL, "group_column": "g"})
    with pytest.raises(UserError, match="As for labels: the labels are in the column 'class'"):
        manifest(tmp_path, "image,class\na.png,x\n", {"group_column": "g"})


def test_exact_repeats_are_counted(tmp_path: Path) -> None:
    data = manifest(tmp_path, LOADED["exact repeats"][0], {})
    assert data.notes == ("2 rows that repeat another one exactly are dropped",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", ["[%s, %s]", "%s\n%s\n"])
def test_json_in_other_encodings(text: str, encoding: str, tmp_path: Path) -> None:
    rows = tuple(json.dumps({"image": f"{name}.png", "label": "é"}) for name in "ab")
    (tmp_path / "m.json").write_bytes((text % rows).encode(encoding))
    assert ids(source("manifest", path=str(tmp_path / "m.json"))) == ["a.png", "b.png"]


def test_an_array_of_objects_in_json(tmp_path: Path) -> None:
    rows = [{"image": "a.png", "label": "x"}, {"image": "b.png", "label": "y"}]
    (tmp_path / "m.json").write_text(json.dumps(rows, indent=1))
    data = source("manifest", path=str(tmp_path / "m.json"))
    assert data.class_names == ("x", "y")
    (tmp_path / "m.json").write_text("[1, 2]")
    with pytest.raises(UserError, match=r"m\.json.*something other than objects"):
        source("manifest", path=str(tmp_path / "m.json"))


def save(image: Image.Image, path: Path, **options: object) -> None:
    image.save(path, **options)  # type: ignore[arg-type]


def truncated(path: Path) -> None:
    path.write_bytes(encoded(0, "JPEG")[:200])


def huge(path: Path) -> None:
    """A PNG whose header says 20,000 × 20,000, as a bomb's does."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )  # fmt: skip


BAD_IMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("a.png", lambda p: p.write_bytes(b""), "the file is empty"),
    "text": ("a.jpg", lambda p: p.write_text("hello"), "not an image"),
    "truncated": ("a.jpg", truncated, "a.jpg"),
    "missing": ("a.png", lambda p: None, "no such file"),
    "bomb": ("a.png", huge, "decompression bomb"),
    "a folder": ("a.png", lambda p: p.mkdir(), "a.png"),
    "pickled array": (
        "a.npy", lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True), "pickle",
    ),
    "array of floats": ("a.npy", lambda p: np.save(p, np.zeros((4, 4))), "float64"),
    "array of one dimension": ("a.npy", lambda p: np.save(p, np.zeros(4, np.uint8)), "(4,)"),
    "floating-point TIFF": (
        "a.tif", lambda p: Image.fromarray(np.zeros((4, 4), np.float32)).save(p), "floating-point",
    ),
    "32-bit TIFF out of range": (
        "a.tif", lambda p: Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(p), "70000",
    ),
    "damaged TIFF": ("a.tif", lambda p: p.write_bytes(b"II*\0garbage"), "a.tif"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_named(name: str, tmp_path: Path) -> None:
    file, make, reason = BAD_IMAGES[name]
    make(tmp_path / file)
    with pytest.raises(UnreadableImage) as error:
        read_image(tmp_path / file, str(tmp_path / file))
    assert str(tmp_path / file) in str(error.value)
    assert reason in str(error.value)


def test_a_table_with_bad_bytes_names_the_row(tmp_path: Path) -> None:
    table = pa.table({"image": [encoded(0), b"nothing", None], "label": ["x", "y", "x"]})
    pq.write_table(table, tmp_path / "all.parquet")
    split = source("parquet", path=str(tmp_path / "all.parquet")).splits["train"]
    for row in (1, 2):
        with pytest.raises(UnreadableImage, match=f"all/{row}"):
            split.read(row)


def test_parquet_files_with_further_columns(tmp_path: Path) -> None:
    """A group and a metadata column that test lacks; labels and images are needed in each."""
    train = {"image": [encoded(i) for i in range(4)], "label": ["x", "y"] * 2,
             "patient": ["a", "a", "b", "b"], "site": ["s"] * 4}  # fmt: skip
    test = {"image": [encoded(i) for i in range(5, 7)], "label": ["x", "y"]}
    pq.write_table(pa.table(train), tmp_path / "train-0.parquet")
    pq.write_table(pa.table(test), tmp_path / "test-0.parquet")
    data = source("parquet", root=str(tmp_path), group_column="patient")
    assert data.notes == (
        "columns that some files lack are empty there: 'patient' (not in test-0.parquet), "
        "'site' (not in test-0.parquet)",
    )
    groups = {name: split.groups for name, split in data.splits.items()}
    assert [len(set(each.tolist())) for each in groups.values() if each is not None] == [2, 2]
    pq.write_table(pa.table({"image": test["image"]}), tmp_path / "test-0.parquet")
    with pytest.raises(UserError, match=r"test-0\.parquet has no column 'label'"):
        source("parquet", root=str(tmp_path))


def test_parquet_files_whose_columns_have_other_types(tmp_path: Path) -> None:
    """Text is made of a column that only slices need; labels of two types are refused."""
    images = [encoded(i) for i in range(2)]
    for name, site, score in (("train", 1, 1), ("test", "1", 0.5)):
        table = {"image": images, "label": ["x", "y"], "site": [site] * 2, "score": [score] * 2}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    data = source("parquet", root=str(tmp_path))
    assert data.notes == ("columns of different types are read as text: 'site' (string and int64)",)
    sites = [split.metadata["site"].to_pylist() for split in data.splits.values() if split.metadata]
    assert sites == [["1", "1"], ["1", "1"]]
    pq.write_table(pa.table({"image": images, "label": [0, 1]}), tmp_path / "test.parquet")
    with pytest.raises(UserError, match=r"train.parquet, column 'label': it holds string, but int"):
        source("parquet", root=str(tmp_path))


PARQUET: dict[str, tuple[Callable[[Path], object], Options, str]] = {
    "paths instead of bytes": (
        lambda p: pq.write_table(pa.table({"image": ["a.png"], "label": [0]}), p), {},
        "use data=manifest",
    ),
    "no such column": (
        lambda p: pq.write_table(pa.table({"img": [b""], "label": [0]}), p), {}, "Did you mean 'img'",
    ),
    "not Parquet": (lambda p: p.write_text("hello"), {}, "cannot be read"),
    "no rows": (lambda p: pq.write_table(huggingface_table(range(0), []), p), {}, "no rows"),
    "label out of range": (
        lambda p: pq.write_table(huggingface_table(range(2), [0, 7]), p), {}, "row 2, column 'label'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARQUET)
def test_a_dirty_parquet_file_is_refused(name: str, tmp_path: Path) -> None:
    make, options, expected = PARQUET[name]
    make(tmp_path / "all.parquet")
    with pytest.raises(UserError) as error:
        source("parquet", path=str(tmp_path / "all.parquet"), **options)  # type: ignore[arg-type]
    assert expected in str(error.value)
    assert "all.parquet" in str(error.value) or "data." in str(error.value)


def arrays(**changed: object) -> dict[str, object]:
    images = np.zeros((4, 8, 8), np.uint8)
    return {"train_images": images, "train_labels": np.array([[0], [1], [0], [1]]), **changed}


NPZ: dict[str, tuple[dict[str, object], str]] = {
    "no train": ({"test_images": np.zeros((2, 8, 8), np.uint8)}, "no array train_images"),
    "no labels": ({"train_images": np.zeros((2, 8, 8), np.uint8)}, "no train_labels"),
    "lengths differ": (arrays(train_labels=np.zeros((3, 1), int)), "4 train_images, but 3"),
    "texts": (arrays(train_images=np.zeros((4, 8, 8), "U1")), "expected numbers"),
    "three dimensions": (arrays(train_images=np.zeros((4, 8, 8, 8, 1), np.uint8)), "expected numbers"),
    "negative class": (arrays(train_labels=np.array([0, 1, -3, 0])), "train_labels, row 3"),
    "class of test alone": (
        arrays(test_images=np.zeros((1, 8, 8), np.uint8), test_labels=np.array([[5]])),
        "test_labels, row 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NPZ)
def test_dirty_arrays_are_refused(name: str, tmp_path: Path) -> None:
    values, expected = NPZ[name]
    np.savez(tmp_path / "d.npz", **values)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"d\.npz") as error:
        source("npz", path=str(tmp_path / "d.npz"))
    assert expected in str(error.value)


def test_a_json_lines_file_with_a_broken_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"image": "a.png", "label": "x"}) + "\n{broken\n")
    with pytest.raises(UserError, match=r"m\.jsonl"):
        source("manifest", path=str(path))


def test_a_spreadsheet_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "m.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match="Save a spreadsheet as CSV"):
        source("manifest", path=str(tmp_path / "m.xlsx"))


def test_a_class_too_small_to_split_is_named(tmp_path: Path) -> None:
    make_files(tmp_path, [*(f"cat/{i}.png" for i in range(9)), "dog/1.png"])
    with pytest.raises(UserError, match=r"fewer than 2 of: dog \(1\)"):
        make_splits(source("folder", root=str(tmp_path)), data_config())


def test_images_of_odd_kinds_are_read_right(tmp_path: Path) -> None:
    """Palette, alpha, 16 bits, CMYK, EXIF rotation, animation, many channels, 1×1."""
    rgb = np.asarray(make_image(0))
    deep = (rgb[..., 0].astype(np.uint16) * 257).copy()
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "deep.png")), rgb[..., 0])
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert read(tmp_path / "cmyk.jpg").convert("RGB").size == (12, 12)
    wide = Image.fromarray(np.zeros((4, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    wide.save(tmp_path / "turned.jpg", exif=exif)
    assert read(tmp_path / "turned.jpg").size == (4, 8)
    frames = [Image.new("P", (6, 6), color) for color in (0, 1)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "moving.gif").size == (6, 6)
    for kind in ("bmp", "webp", "tif", "gif", "png"):
        Image.fromarray(rgb).save(tmp_path / f"a.{kind}")
        assert read(tmp_path / f"a.{kind}").size == (12, 12)
    Image.new("L", (1, 1), 7).save(tmp_path / "dot.png")
    assert read(tmp_path / "dot.png").getpixel((0, 0)) == 7
    five = np.random.default_rng(0).integers(0, 256, (6, 7, 5), dtype=np.uint8)
    np.save(tmp_path / "five.npy", five)
    np.testing.assert_array_equal(read_image(tmp_path / "five.npy", "five.npy"), five)
    import tifffile

    tifffile.imwrite(tmp_path / "five.tif", five, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_image(tmp_path / "five.tif", "five.tif"), five)


def read(path: Path) -> Image.Image:
    image = read_image(path, str(path))
    assert isinstance(image, Image.Image)
    return image


def test_a_column_called_split_that_is_not_used_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, ["a.png", "b.png"])
    (tmp_path / "t.csv").write_text("image,label,Split\na.png,x,A\nb.png,y,B\n")
    assert list(source("manifest", path=str(tmp_path / "t.csv")).splits) == ["train"]
    assert "the column 'Split' is not read as the split of each row" in caplog.text
    assert "('A', 'B')" in caplog.text
