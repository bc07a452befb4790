"""Layouts of folders as people have them: what is read, what is left out, what is refused."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from PIL import Image
from support.commands import Sightline
from support.images import make_folder

from sightline.data.labels.names import alike, canonical
from sightline.data.reading.formats import image_suffixes
from sightline.data.reading.scan import scan_images
from sightline.data.source_data import SourceData
from sightline.data.sources.folder import read_folder
from sightline.errors import UserError
from sightline.inference.inputs import read_inputs

TWO = {"cat": 2, "dog": 3}


def sizes(source: SourceData) -> dict[str, int]:
    return {name: len(split) for name, split in source.splits.items()}


@pytest.mark.parametrize("train", ["train", "Train", "training", "TRAINING"])
@pytest.mark.parametrize("val", ["val", "valid", "validation", "Dev"])
@pytest.mark.parametrize("test", ["test", "testing", "Test"])
def test_the_usual_names_of_splits(train: str, val: str, test: str, tmp_path: Path) -> None:
    for folder, count in ((train, 3), (val, 2), (test, 1)):
        make_folder(tmp_path / folder, {"cat": count, "dog": count}, (4, 4))
    source = read_folder(str(tmp_path))
    assert source.class_names == ("cat", "dog")
    assert sizes(source) == {"train": 6, "val": 4, "test": 2}
    renamed = [f"{f} as {s}" for f, s in ((train, "train"), (val, "val"), (test, "test")) if f != s]
    assert source.notes == ((f"reads the folder {', '.join(renamed)}",) if renamed else ())


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "val", "extra"], "extra beside train and val would not be used"),
        (["train", "unlabeled", "more"], "more, unlabeled beside train would not be used"),
        (["train", "val", "valid"], "val and valid are folders of one split"),
        (["train", "Train"], "Train and train are folders of one split"),
        (["cat", "dog", "test"], "test is a folder of a split, but there is no folder train"),
        (["valid", "test"], "test and valid are folders of a split, but there is no folder train"),
        (["photos/train", "photos/val"], "photos holds train and val, which look like splits"),
        (["cat/train", "cat/test", "dog/train"], "cat holds test and train"),
    ],
)
def test_folders_that_would_not_be_used_are_refused(
    folders: list[str], message: str, tmp_path: Path
) -> None:
    for folder in folders:
        make_folder(tmp_path / folder, TWO, (4, 4))
    with pytest.raises(UserError, match=message) as error:
        read_folder(str(tmp_path))
    assert "data.splits=none" in str(error.value)


def test_a_folder_without_images_beside_the_splits_is_no_matter(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", TWO, (4, 4))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.json").write_text("{}")
    assert sizes(read_folder(str(tmp_path))) == {"train": 5}


def test_classes_called_train_and_test(tmp_path: Path) -> None:
    make_folder(tmp_path, {"car": 1, "test": 2, "train": 3}, (4, 4))
    source = read_folder(str(tmp_path), "none")
    assert source.class_names == ("car", "test", "train")
    assert sizes(source) == {"train": 6}


def test_splits_by_name(tmp_path: Path) -> None:
    for folder in ("a/learn", "b", "train"):
        make_folder(tmp_path / folder, TWO, (4, 4))
    source = read_folder(str(tmp_path), {"train": "a/learn", "test": "b"})
    assert sizes(source) == {"train": 5, "test": 5}
    assert source.splits["train"].ids[0].as_py() == "a/learn/cat/000.png"
    assert source.notes == ("reads the folder a/learn as train, b as test",)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": "train", "vall": "val"}, "'vall' is no split.*Did you mean 'val'"),
        ({"val": "train"}, "name the folder of train"),
        ({"train": "trian"}, "data.splits.train=trian: .* is not there. Did you mean 'train'"),
        ({"train": "train", "val": "train"}, "two splits have the same folder"),
        ("nothing", "expected auto, none or"),
    ],
)
def test_mistakes_in_splits(splits: str | dict[str, str], message: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "train", TWO, (4, 4))
    with pytest.raises(UserError, match=message):
        read_folder(str(tmp_path), splits)


def test_a_test_folder_without_labels_is_for_prediction(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", TWO, (4, 4))
    make_folder(tmp_path, {"test": 4}, (4, 4))
    source = read_folder(str(tmp_path))
    assert sizes(source) == {"train": 5}
    assert "its images have no labels and are not used" in source.notes[0]
    assert f"sightline predict run=RUN input={tmp_path / 'test'}" in source.notes[0]
    assert source.left_out.describe() == "4 beside the class folders"
    make_folder(tmp_path, {"val": 4}, (4, 4))
    with pytest.raises(UserError, match="val has no labels"):
        read_folder(str(tmp_path))


FILES = {
    "cat/a.NEF": "camera raw", "cat/b.jxl": "JPEG XL", "cat/c.svg": "SVG",
    "cat/d": "without a suffix",
    "dog/e.jpg ": "with a space after the suffix", "dog/notes.txt": ".txt files",
    "dog/clip.mpg": ".mpg files", "dog/features.h5": ".h5 files",
    "cat/.ipynb_checkpoints/000-checkpoint.png": "in hidden or system folders",
    "cat/@eaDir/000.png/SYNOPHOTO_THUMB_M.jpg": "in hidden or system folders",
    "dog/.thumbnails/000.png": "in hidden or system folders",
    "dog/Thumbs/1.jpg": "in hidden or system folders",
    "__MACOSX/cat/x.png": "in hidden or system folders",
    "loose.png": "beside the class folders",
}  # fmt: skip


@pytest.fixture
def without_jxl(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the package of JPEG XL is not installed."""
    readable = image_suffixes() - {".jxl"}
    monkeypatch.setattr("sightline.data.reading.scan.image_suffixes", lambda: readable)


@pytest.mark.usefixtures("without_jxl")
def test_files_that_are_not_read_are_listed(tmp_path: Path) -> None:
    make_folder(tmp_path, TWO, (4, 4))
    for name in [*FILES, "cat/.hidden.jpg", "cat/._001.png", "cat/Thumbs.db", ".DS_Store"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((tmp_path / "cat" / "000.png").read_bytes())
    (tmp_path / ".git").mkdir()  # no class of its own, and of its files images alone are listed
    (tmp_path / ".git" / "config").write_text("")
    (tmp_path / "dog" / "UPPER.PNG").write_bytes((tmp_path / "dog" / "000.png").read_bytes())
    source = read_folder(str(tmp_path))
    assert source.class_names == ("cat", "dog")
    assert sizes(source) == {"train": 6}
    found = dict(zip(source.left_out.paths, source.left_out.reasons, strict=True))
    assert found == FILES
    assert source.left_out.describe().startswith("5 in hidden or system folders, 1 ")


@pytest.mark.usefixtures("without_jxl")
def test_a_class_folder_of_other_formats_alone_says_which(tmp_path: Path) -> None:
    make_folder(tmp_path, TWO, (4, 4))
    (tmp_path / "fox").mkdir()
    for number in range(3):
        (tmp_path / "fox" / f"{number}.jxl").write_bytes(b"x")
    with pytest.raises(
        UserError, match=r"class folder .*fox \(3 JPEG XL \(sightline\[jxl\] reads them\)\)"
    ):
        read_folder(str(tmp_path))


def test_one_word_in_two_forms_of_unicode_is_one_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for folder in (f"train/{composed}", "train/cat", f"test/{decomposed}", "test/ca\u200bt"):
        make_folder(tmp_path, {folder: 2}, (4, 4))
    make_folder(tmp_path, {f"train/{decomposed}": 1, "train/\uff43\uff41\uff54": 1}, (4, 4))
    with caplog.at_level(logging.WARNING):
        source = read_folder(str(tmp_path))
    assert source.class_names == (composed, "cat") or source.class_names == ("cat", composed)
    counts = {
        split: [int((each.targets == index).sum()) for index in range(2)]
        for split, each in source.splits.items()
    }
    assert counts == {"train": [3, 3], "test": [2, 2]}
    assert caplog.text.count("the same word in another form of Unicode") == 3
    assert caplog.text.count("the same word with invisible characters") == 1


def test_spaces_around_a_class_folder_are_said_to_be_spaces(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_folder(tmp_path, {"cat": 2, "cat ": 1, "dog": 2}, (4, 4))
    assert read_folder(str(tmp_path)).class_names == ("cat", "dog")
    assert "'cat ' is read as 'cat': the same word with spaces around it." in caplog.text


@pytest.mark.parametrize("place", [b"cat/caf\xe9.png", b"caf\xe9/a.png"])
def test_a_name_that_is_not_utf_8_is_named(place: bytes, tmp_path: Path) -> None:
    make_folder(tmp_path, TWO, (4, 4))
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + place))
    target.parent.mkdir(exist_ok=True)
    next(tmp_path.rglob("*.png")).rename(target)
    with pytest.raises(UserError, match=r"1 image has a name .* such as .*caf\\xe9"):
        read_folder(str(tmp_path))
    target.rename(target.with_suffix(".other"))
    make_folder(tmp_path / "more", {"x": 1}, (4, 4))
    assert all(path.isascii() for path in scan_images(tmp_path, tmp_path).left_out.paths)


def test_names_that_hardly_differ_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_folder(tmp_path, {"Cat": 1, "cat": 1, "0": 1, "0.0": 1, "dog": 1}, (4, 4))
    with caplog.at_level(logging.WARNING):
        source = read_folder(str(tmp_path))
    assert len(source.class_names) == 5
    assert "'0' and '0.0' are different classes" in caplog.text
    assert "'Cat' and 'cat' are different classes" in caplog.text


def test_canonical_names() -> None:
    assert canonical(" cafe\u0301\ufeff ") == "caf\u00e9"
    assert canonical("\uff21\uff22\u3000\uff11") == "AB 1"
    assert canonical("m\u00b2") == "m\u00b2"
    assert alike(["m\u00b2", "m2", "1", "1.0", "x"]) == [["m\u00b2", "m2"], ["1", "1.0"]]


def test_prediction_of_a_folder_counts_what_it_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_folder(tmp_path, TWO, (4, 4))
    (tmp_path / "cat" / "a.nef").write_bytes(b"x")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.png").write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        assert len(read_inputs(tmp_path)) == 5
    assert "left out: 1 camera raw, 1 in hidden or system folders" in caplog.text
    assert len(scan_images(tmp_path, tmp_path).left_out) == 2


def test_doctor_reports_what_is_left_out(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "Training", {"cat": 12, "dog": 12}, (16, 16))
    (tmp_path / "data" / "Training" / "cat" / "a.nef").write_bytes(b"x")
    done = sightline("doctor", "data=folder", f"data.root={tmp_path / 'data'}", tracked=False)
    assert "left out" in done.out
    assert "1 camera raw" in done.out
    assert "Training as train" in done.out


@pytest.mark.parametrize(
    ("train", "test"),
    [("seg_train", "seg_test"), ("training_set", "test_set"), ("train2017", "val2017")],
)
def test_folders_called_like_splits_are_no_classes(train: str, test: str, tmp_path: Path) -> None:
    for split in (train, test):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / split / name / "a.png")
    with pytest.raises(UserError, match=rf"look like splits, not classes: .*train: {train}"):
        read_folder(str(tmp_path))
    assert read_folder(str(tmp_path), "none").class_names == tuple(sorted((train, test)))
    data = read_folder(str(tmp_path), {"train": train, "test": test})
    assert data.class_names == ("cat", "dog")


def test_classes_that_hold_the_same_folders_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split in ("Entrenamiento", "Prueba"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / split / name / "a.png")
    assert read_folder(str(tmp_path)).class_names == ("Entrenamiento", "Prueba")
    assert "hold the same folders (cat, dog)" in caplog.text


@pytest.mark.parametrize(
    "folders",
    [("fold_0", "fold_1", "fold_2"), ("Part 1", "Part 2"), ("train_a", "Held-Out"),
     ("my_train", "valid_images", "Held-Out")],
)  # fmt: skip
def test_folds_and_parts_of_a_set_are_no_classes(folders: tuple[str, ...], tmp_path: Path) -> None:
    for folder in folders:
        for name in ("cat", "dog"):
            (tmp_path / folder / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / folder / name / "a.png")
    with pytest.raises(
        UserError, match=r"hold the same folders \(cat, dog\), and look like splits"
    ):
        read_folder(str(tmp_path))
    assert read_folder(str(tmp_path), "none").class_names == tuple(sorted(folders))


def test_classes_that_are_numbers_may_hold_the_same_folders(tmp_path: Path) -> None:
    for folder in ("0", "1"):
        for name in ("day", "night"):
            (tmp_path / folder / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / folder / name / "a.png")
    assert read_folder(str(tmp_path)).class_names == ("0", "1")


def test_a_link_to_a_folder_above_adds_nothing(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "dog" / "up").symlink_to(tmp_path)
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat")
    data = read_folder(str(tmp_path))
    assert data.class_names == ("cat", "dog")
    assert data.splits["train"].ids.to_pylist() == ["cat/a.png", "dog/a.png"]
