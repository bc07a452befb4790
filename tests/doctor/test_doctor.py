"""`sightline doctor` finds what is wrong, and says that nothing is where nothing is."""

from __future__ import annotations

import io
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from support.commands import Sightline
from support.images import make_folder

from sightline.data.reading.images import BytesImages
from sightline.doctor import near_duplicates as near
from sightline.doctor.images import inspect_images
from sightline.doctor.near_duplicates import near_duplicates
from sightline.types import AS_STORED

QUICK = ["model.widths=[4,8]", "model.hidden=16"]


def findings(path: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads((path / "report.json").read_text())["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_nothing_wrong(sightline: Sightline, photos: Path, tmp_path: Path) -> None:
    done = sightline("doctor", "--output", "out", "data=folder", f"data.root={photos}", *QUICK)
    assert done.status == 0, done.out
    found = findings(tmp_path / "work" / "out")
    assert all(f["level"] != "error" for each in found.values() for f in each)
    assert set(found) >= {
        "config", "devices", "tracking", "data", "labels", "images", "sizes", "modes",
        "duplicates", "near duplicates", "model", "step", "memory", "folder",
    }  # fmt: skip
    for name in ("class_balance.png", "samples.png"):
        with Image.open(tmp_path / "work" / "out" / name) as figure:
            assert figure.size[0] > 300
    assert done.runs == []
    assert not (tmp_path / "work" / "runs").exists()


def test_dirty_data(sightline: Sightline, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name, count in (("train", 14), ("val", 4), ("test", 4)):
        make_folder(root / name, {"a": count, "b": count})
        for place in (root / name).rglob("*.png"):  # else the splits hold the same images
            noise = np.random.default_rng(zlib.crc32(str(place.relative_to(root)).encode()))
            Image.fromarray(noise.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(place)
    (root / "train" / "a" / "000.png").write_bytes(b"")
    shutil.copy(root / "train" / "a" / "001.png", root / "test" / "a" / "001.png")
    shutil.copy(root / "train" / "a" / "002.png", root / "train" / "b" / "002.png")
    shutil.copy(root / "train" / "b" / "003.png", root / "train" / "b" / "004.png")
    with Image.open(root / "train" / "b" / "005.png") as image:
        image.resize((40, 40)).save(root / "val" / "b" / "001.png")
    done = sightline("doctor", "--output", "out", "data=folder", f"data.root={root}", *QUICK)
    assert done.status == 1
    found = findings(tmp_path / "work" / "out")
    assert found["images"][0]["level"] == "error"
    assert "train/a/000.png" in found["images"][0]["message"]
    texts = " ".join(finding["message"] for finding in found["duplicates"])
    assert "more than one split" in texts
    assert "test:test/a/001.png" in texts
    assert "different labels" in texts
    assert "train:train/a/002.png" in texts
    assert "within a split" in texts
    assert "train:train/b/005.png ~ val:val/b/001.png" in found["near duplicates"][0]["message"]


def test_groups_across_splits_and_labels_always_on(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "p", {"all": 12})
    lines = ["image,x,y,patient,split"]
    parts = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    for index, part in enumerate(parts):
        lines.append(f"all/{index:03d}.png,1,{index % 2},{index // 3},{part}")
    (tmp_path / "p" / "m.csv").write_text("\n".join(lines) + "\n")
    done = sightline(
        "doctor", "--output", "out", "data=manifest", f"data.path={tmp_path}/p/m.csv",
        "label_mode=multilabel", "data.split_column=split", "data.group_column=patient", *QUICK,
    )  # fmt: skip
    assert done.status == 1
    found = findings(tmp_path / "work" / "out")
    assert "both in train and in val" in found["groups"][0]["message"]
    assert any("x is always on" in f["message"] for f in found["classes"])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["optimizer._target_=torch.optim.AdamV"], "AdamV"),
        (["trainer=gpu"], "no GPU"),
        (["label_mode=binary", "label_mode.positive_class=od"], "Did you mean"),
    ],
)
def test_a_mistake_is_a_finding(
    sightline: Sightline, overrides: list[str], expected: str, tmp_path: Path
) -> None:
    done = sightline("doctor", "--output", "out", *overrides, *QUICK)
    assert done.status == 1
    levels = [f for each in findings(tmp_path / "work" / "out").values() for f in each]
    assert any(f["level"] == "error" and expected in f["message"] for f in levels)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data=folder", "data.root=nowhere"], "nowhere"),
        (["model=timm", "model.name=resnet81"], "Did you mean 'resnet18'"),
    ],
)
def test_what_is_not_there_is_one_message(
    sightline: Sightline, overrides: list[str], expected: str, tmp_path: Path
) -> None:
    done = sightline("doctor", "--output", "out", *overrides)
    assert done.status == 1
    assert expected in done.err
    assert not (tmp_path / "work" / "out").exists()


def test_an_unreachable_store_is_a_finding(
    sightline: Sightline, tmp_path: Path, refusing_port: int
) -> None:
    uri = f"tracking.uri=http://127.0.0.1:{refusing_port}"
    done = sightline(
        "doctor", "--output", "out", uri, "tracking.start_timeout_s=1", *QUICK, tracked=False
    )
    assert done.status == 1
    assert findings(tmp_path / "work" / "out")["tracking"][0]["level"] == "error"


def test_a_wrong_key_is_one_message(sightline: Sightline) -> None:
    done = sightline("doctor", "trainer.max_epoch=3")
    assert done.status == 1
    assert "trainer.max_epochs" in done.err
    assert sightline("doctor", "--help").status == 0


@pytest.mark.parametrize("compared", [0, 1000])
def test_near_duplicates_are_all_pairs_within_the_limit(
    compared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "COMPARED", compared)  # 0: hashes are compared in buckets
    rng = np.random.default_rng(0)
    hashes, mirrored = rng.integers(0, 2**64, (2, 400), dtype=np.uint64)
    hashes[100:140] &= np.uint64(0xFFFF)  # many that share three quarters
    for index in range(0, 100, 2):  # plant pairs, also mirrored ones, that differ in 0 to 14 bits
        bits = rng.choice(64, index // 2 % 15, replace=False)
        flips = np.uint64(sum(1 << int(bit) for bit in bits))
        ours, theirs = (hashes, mirrored) if index < 60 else (mirrored, hashes)
        hashes[index + 1], mirrored[index + 1] = ours[index] ^ flips, theirs[index] ^ flips
    small = np.arange(400) % 7 == 0

    def bits_between(a: int, b: int) -> int:
        ours, theirs = int(hashes[a]), (int(hashes[b]), int(mirrored[b]))
        return min((ours ^ each).bit_count() for each in theirs)

    brute = [
        [a, b]
        for a in range(400)
        for b in range(a + 1, 400)
        if bits_between(a, b) <= (2 if small[a] or small[b] or not compared else 10)
    ]
    assert near_duplicates(hashes, mirrored, small).tolist() == brute
    assert len(brute) >= 10
    same = np.full(3000, 7, np.uint64)  # an image and its copies: each is beside the first
    found = near_duplicates(same, ~same, np.zeros(3000, bool))
    assert found.tolist() == [[0, i] for i in range(1, 3000)]


def test_crops_and_mirrors_are_found_and_different_images_are_not() -> None:
    """On parts of scikit-learn's two photographs that show something and do not overlap."""
    photos = [Image.fromarray(image) for image in load_sample_images().images]
    tiles = [
        photo.crop((x, y, x + 106, y + 85))
        for photo in photos for x in range(0, 640 - 106 + 1, 106) for y in range(0, 425, 85)
    ]  # fmt: skip
    tiles = [tile for tile in tiles if np.asarray(tile.convert("L")).std() > 30]
    changed = [
        *(tile.crop((1, 1, tile.width - 1, tile.height - 1)) for tile in tiles),
        *map(ImageOps.mirror, tiles),
    ]
    arrays = [np.asarray(tile) for tile in [*tiles, *changed]]
    images = BytesImages(
        pa.chunked_array([[_png(array) for array in arrays]]),
        pa.array([f"{i}.png" for i in range(len(arrays))]),
    )
    facts = inspect_images(images, AS_STORED, "inspecting")
    hashes = np.array([fact.perceptual_hash for fact in facts], np.uint64)
    mirrored = np.array([fact.mirrored_hash for fact in facts], np.uint64)
    count = len(tiles)
    assert count >= 30
    small = np.zeros(len(facts), bool)
    found = {tuple(pair) for pair in near_duplicates(hashes, mirrored, small).tolist()}
    assert not [pair for pair in found if pair[0] < count and pair[1] < count]
    cropped = sum((i, count + i) in found for i in range(count))
    assert cropped >= 0.9 * count
    assert all((i, 2 * count + i) in found for i in range(count))


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()
