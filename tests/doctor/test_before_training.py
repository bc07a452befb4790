"""Data and weights as people bring them: the doctor says of each how it is used, or refuses it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import Tensor, nn

from sightline.config.compose import compose_job
from sightline.doctor.findings import Finding, Report
from sightline.doctor.run import check_data_and_model

COUNT = 12  # images of each class, with which each split has some
CNN = ["model.widths=[4,8]", "model.hidden=16"]
COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


class Patches(nn.Module):
    """The mean of patches of 16 pixels."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, num_classes, 16, stride=16)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).mean(dim=(2, 3))


def images(folder: Path, count: int = COUNT, size: tuple[int, int] = (20, 20)) -> None:
    """FOLDER/*.png of noise, none of them like another."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([*str(folder).encode()])
    for number in range(count):
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")


def a_folder(root: Path) -> list[str]:
    """Names of splits, hidden folders, other formats, forms of Unicode, transparency, aspect."""
    for split in ("Training", "valid"):
        for name in (COMPOSED, DECOMPOSED, "Tea", "tea"):
            images(root / split / name, size=(128, 32))
    for name in ("raw.NEF", "note.txt", "x", "photo.jpg "):
        (root / "Training" / "tea" / name).write_bytes(b"x")
    for name in (".ipynb_checkpoints", "@eaDir", ".thumbnails"):
        images(root / "Training" / "Tea" / name, 1)
    images(root / "Training" / "__MACOSX" / "tea", 1)
    images(root, 1)
    for number in range(3):
        path = root / "Training" / "tea" / f"{number:02d}.png"
        with Image.open(path) as image:
            image.save(path, transparency=image.getpixel((0, 0)))
    return ["data=folder", f"data.root={root}", "data.geometry=crop", *CNN]


def a_table(root: Path) -> list[str]:
    """A column of splits, rows given twice, numbers in two forms, spaces."""
    rows = ["image,label,Subset"]
    for label in ("0", "0.0", "1 "):
        images(root / label.strip())
        parts = ["train"] * 8 + ["valid"] * 2 + ["test"] * 2
        rows += [f"{label.strip()}/{i:02d}.png,{label},{part}" for i, part in enumerate(parts)]
    rows += rows[3:5]
    (root / "t.csv").write_text("\n".join(rows) + "\n")
    return ["data=manifest", f"data.path={root}/t.csv", *CNN]


def contradictions(root: Path) -> list[str]:
    words = a_table(root)
    with (root / "t.csv").open("a") as stream:
        stream.write("0/00.png,1,train\n")
    return words


def twelve_bits(root: Path) -> list[str]:
    """Of 24 images, of which 4 have the value 4,000."""
    for index in range(24):
        folder = root / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(index).integers(0, 1000, (20, 20)).astype(np.uint16)
        values[0, 0] = 4000 if index < 4 else 0
        np.save(folder / f"{index}.npy", values)
    return ["data=folder", f"data.root={root}", "data.range=[0,1000]", *CNN]


def some_classes(root: Path, *folders: str, size: int = 20) -> list[str]:
    for folder in folders:
        for name in ("cat", "dog"):
            images(root / folder / name, size=(size, size))
    return ["data=folder", f"data.root={root}"]


def weights_without(root: Path, layer: str) -> list[str]:
    """A checkpoint with a wrapper and a prefix, which lacks a layer."""
    state = timm.create_model("test_resnet").state_dict()
    kept = {f"module.{key}": value for key, value in state.items() if not key.startswith(layer)}
    torch.save({"state_dict": kept}, root / "w.pth")
    words = ["model=timm", "model.name=test_resnet", "model.img_size=32"]
    return [*some_classes(root, "."), *words, f"model.pretrained_path={root}/w.pth"]


BROUGHT: dict[str, Callable[[Path], list[str]]] = {
    "folder": a_folder,
    "table": a_table,
    "contradictions": contradictions,
    "a folder beside": lambda root: some_classes(root, "train", "extra"),
    "twelve bits": twelve_bits,
    "patches": lambda root: [
        *some_classes(root, ".", size=28),
        "trainer.accumulate_grad_batches=50",
    ],
    "weights": lambda root: weights_without(root, "bn1.bias"),
    "other weights": lambda root: weights_without(root, "layer1"),
}
HARDLY = "are different classes here, though their names hardly differ."
# The item of the list of cases, what is brought, and the finding.
CASES = [
    ("1", "weights", "weights", "warning", "over 99.9 % of the backbone from {root}/w.pth, under "
     "state_dict/module.; the head is new; not in the file: bn1.bias"),
    ("1", "other weights", "model", "error", "model.pretrained_path={root}/w.pth does not fit "
     "test_resnet: 95 % of the backbone's parameters would be loaded (under state_dict/module.); "
     "95 % are needed, no layer may stay random, and none may be left out.\n  not in the file: "
     "layer1.0.conv1.weight, layer1.0.bn1.weight, layer1.0.bn1.bias and 7 more"),
    ("3", "folder", "reading", "warning", "reads the folder Training as train, valid as val"),
    ("3", "a folder beside", "data", "error", "{root}: extra beside train would not be used. "
     "data.splits={{train: FOLDER, val: FOLDER, test: FOLDER}} names the folders to use (the "
     "others are then ignored); data.splits=none takes every folder as a class."),
    ("4", "patches", "input", "warning", "images are resized from 28 to 32 pixels: at 28, Patches "
     "would never see 67.3 % of them"),
    ("5", "table", "reading", "warning", "reads the splits from the column 'Subset'"),
    ("6, 10", "folder", "left out", "warning", "4 in hidden or system folders, 1 .txt file, 1 "
     "beside the class folders, 1 camera raw, 1 with a space after the suffix, 1 without a suffix"),
    ("7", "folder", "geometry", "warning", "images are cropped to 32×32: 75 % of their pixels are "
     "never seen; data.geometry=squash or letterbox shows the model all of them"),
    ("7", "patches", "geometry", "ok", "images are resized to 32×32: all of their pixels are seen"),
    ("8", "twelve bits", "clipped", "warning", "4 of 24 images: values outside of 0 to 1,000 are "
     "clipped (data.range)"),
    ("11", "folder", "reading", "warning", "{root}/Training: 'cafe\\u0301' is read as 'café': the "
     "same word in another form of Unicode."),
    ("11", "folder", "reading", "warning", f"{{root}}/Training: 'Tea' and 'tea' {HARDLY}"),
    ("11", "table", "reading", "warning",
     f"{{root}}/t.csv, column 'label': '0' and '0.0' {HARDLY}"),
    ("11", "table", "reading", "warning", "{root}/t.csv, row 25, column 'label': spaces around the "
     "label '1 ' are left out (12 times in all)."),
    ("12", "folder", "transparency", "ok", "3 of 96 images have transparent pixels, which are laid "
     "on white (data.background)"),
    ("13", "patches", "steps", "warning", "one an epoch, of the mean over its 1 batch: fewer than "
     "trainer.accumulate_grad_batches=50"),
    ("14", "table", "reading", "warning", "2 rows that repeat another one exactly are dropped"),
    ("14", "contradictions", "data", "error", "{root}/t.csv, column 'image': 1 row names an image "
     "again, unlike its first row: '0/00.png' in rows 1 and 39 (label '0' and '1'). Give "
     "each image a single row (several labels: data.label_separator)."),
]  # fmt: skip


@pytest.fixture(scope="module")
def findings_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Path, list[Finding]]]:
    """The folder that something is brought in, and what the doctor finds; once for all cases."""

    @cache
    def find(brought: str) -> tuple[Path, list[Finding]]:
        root = tmp_path_factory.mktemp("brought")
        config, job = compose_job(BROUGHT[brought](root))
        if brought == "patches":
            changed = {"model": {"_target_": f"{__name__}.Patches"}, "plugins": [__name__]}
            config = config.model_copy(update=changed)
        torch.manual_seed(0)
        report = Report()
        check_data_and_model(report, config, job, tmp_path_factory.mktemp("figures"))
        return root, report.findings

    return find


@pytest.mark.parametrize(("item", "brought", "check", "level", "message"), CASES)
def test_it_is_said(
    item: str, brought: str, check: str, level: str, message: str,
    findings_of: Callable[[str], tuple[Path, list[Finding]]],
) -> None:  # fmt: skip
    root, findings = findings_of(brought)
    found = [(each.level, each.message) for each in findings if each.check == check]
    assert (level, message.format(root=root)) in found, item
