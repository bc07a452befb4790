"""The recipes in experiments/, each trained on a made miniature of its public data set's layout."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torchvision
from PIL import Image
from safetensors.torch import save_file
from support.commands import Sightline
from support.data_sets import (
    make_celeba,
    make_cifar10,
    make_files,
    make_gtsrb,
    make_lfw,
    make_mnist,
)
from support.images import make_folder

from sightline.paths import conf_dir

QUICK_TIMM = ["model.name=test_resnet", "model.img_size=32"]
FROM_FILE = ["model.img_size=32", "model.pretrained_path={root}/../weights.safetensors"]
AT_ONCE = ["data.effective_batch_size=16", "scheduler.warmup_epochs=0.2"]
QUICK = ["trainer.max_epochs=1", "tracking.system_metrics_interval_s=null", "data.batch_size=16"]


def gtsrb(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_gtsrb(root)
    return root


def pcam(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import h5py

    folder = root / "pcam"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("valid", 16), ("test", 16)):
        for part, values in (
            ("x", rng.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)),
            ("y", (np.arange(count) % 2).reshape(-1, 1, 1, 1)),
        ):
            name = f"camelyonpatch_level_2_split_{split}_{part}.h5"
            with h5py.File(folder / name, "w") as file:
                file[part] = values
    return root


def nih(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    findings = ["No Finding", "Effusion", "Effusion|Mass", "Mass", "Cardiomegaly|Effusion"]
    lines = [
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    ]
    names = []
    for patient in range(30):
        for visit in range(3):
            names.append(f"{patient + 1:08d}_{visit:03d}.png")
            finding = findings[(patient + visit) % len(findings)]
            lines.append(f"{names[-1]},{finding},{visit},{patient + 1},50,{'MF'[patient % 2]},PA")
    make_files(root / "images", names)
    (root / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n")
    return root / "images"


def fashion(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_mnist(root, "FashionMNIST")
    return root


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_cifar10(root)
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda path, md5: True)
    return root


def tracks(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parquet files with WebP images of 32 pixels, and four images to a track."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 72), ("test", 12)):
        images = []
        for number in range(count):
            stream = io.BytesIO()
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            pixels[..., number // 4 % 3] //= 4
            Image.fromarray(pixels).save(stream, "WEBP", lossless=True)
            images.append({"bytes": stream.getvalue(), "path": f"{number}.webp"})
        columns: dict[str, Any] = {
            "image": images, "label": [n // 4 % 3 for n in range(count)],
            "track": [f"{split}-{n // 4}" for n in range(count)],
        }  # fmt: skip
        pq.write_table(pa.table(columns), root / f"{split}.parquet")
    return root


def classes(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three classes with a long tail, in splits of their own."""
    for split in ("train", "val", "test"):
        make_folder(root / "images" / split, {"many": 24, "some": 8, "few": 4})
    return root / "images"


def celeba(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_celeba(root)
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: True)
    return root


def lfw(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_lfw(root)
    monkeypatch.setattr(torchvision.datasets.LFWPeople, "_check_integrity", lambda self: True)
    return root


def uploads(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_folder(root / "uploads", {"accept": 57, "review": 9})
    for number in range(1):
        (root / "uploads" / "accept" / f"{number:03d}.png").write_bytes(b"damaged")
    return root / "uploads"


def pretrained(name: str) -> Callable[[Path, pytest.MonkeyPatch], Path]:
    """Two classes of images, and a file with a tiny model's weights beside them."""

    def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for split in ("train", "val"):
            make_folder(root / "images" / split, {"ants": 24, "bees": 24})
        save_file(timm.create_model(name).state_dict(), root / "weights.safetensors")
        return root / "images"

    return make


RECIPES: dict[str, tuple[Callable[[Path, pytest.MonkeyPatch], Path], list[str]]] = {
    "traffic_signs": (gtsrb, []),
    "histopathology": (pcam, QUICK_TIMM),
    "chest_xrays": (nih, QUICK_TIMM),
    "products": (fashion, []),
    "face_attributes": (celeba, QUICK_TIMM),
    "identities": (lfw, QUICK_TIMM),
    "finetune_cnn": (pretrained("test_resnet"), ["model.name=test_resnet", *FROM_FILE]),
    "linear_probe": (pretrained("test_resnet"), ["model.name=test_resnet", *FROM_FILE]),
    "finetune_vit": (pretrained("test_vit"), ["model.name=test_vit", *FROM_FILE]),
    "lora_vit": (pretrained("test_vit"), ["model.name=test_vit", *FROM_FILE]),
    "a3": (classes, [*QUICK_TIMM, *AT_ONCE, "data.img_size_schedule=[[0,24]]"]),
    "deit3": (classes, ["model.name=test_vit", "model.img_size=32", *AT_ONCE]),
    "long_tail": (classes, QUICK_TIMM),
    "distill": (classes, [*QUICK_TIMM, "method.teacher={teacher}"]),
    "cifar_resnet": (cifar, ["model.depth=8"]),
    "cifar_speedrun": (cifar, ["model.depth=8", "model.width=8"]),
    "fashion_conv2": (fashion, ["model.hidden=16"]),
    "fashion_conv2_small": (fashion, []),
    "fashion_conv3": (fashion, []),
    "gtsrb_convnet": (tracks, ["model.widths=[4,6]"]),
    "content_moderation": (uploads, [*QUICK_TIMM, "data.max_skipped_fraction=0.1"]),
}


BY_TRYING = ("a3", "deit3")  # how large a batch fits


@pytest.mark.usefixtures("uploads_inline")
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_on_its_layout(
    name: str, sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, overrides = RECIPES[name]
    (tmp_path / "data").mkdir()
    root = make(tmp_path / "data", monkeypatch)
    teacher = tmp_path / "teacher"
    if name == "distill":
        words = ["data=folder", f"data.root={root}", "model=timm", *QUICK_TIMM, *QUICK]
        alone = ["report=none", "tracking.offline=true", f"hydra.run.dir={teacher}"]
        assert sightline("train", *words, *alone).status == 0
    own = [each.format(root=root, teacher=teacher) for each in overrides]
    quick = [word for word in QUICK if not (name in BY_TRYING and word.startswith("data.batch"))]
    done = sightline("train", f"experiment={name}", f"data.root={root}", *own, *quick)
    assert done.status == 0, done.err
    assert done.run.info.status == "FINISHED"
    assert name in BY_TRYING or "test/accuracy" in done.run.data.metrics
    if name in BY_TRYING:
        assert "batch:   16 images" in done.out
    if name == "linear_probe":
        assert "features: 41×" in done.out
    if name == "chest_xrays":
        table = pq.read_table(done.folder / "split" / "split.parquet")
        assert {"group", "Patient Gender"} <= set(table.column_names)
        by_group = table.group_by("group").aggregate([("split", "count_distinct")])
        assert set(by_group["split_count_distinct"].to_pylist()) == {1}
    if name == "content_moderation":
        assert done.run.data.params["data.skipped"] == "1"
        assert "accept/000.png" in (done.download("skipped.csv")).read_text()


def test_every_recipe_is_tested() -> None:
    names = {path.stem for path in (conf_dir() / "experiment").glob("*.yaml")}
    assert {name for name in names if not name.startswith("digits")} == set(RECIPES)
