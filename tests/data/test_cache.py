"""Cached images: equal to decoded ones, written once, bounded, and safe with several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import cache_writer
from support.cache_writer import SPEC, images_of
from support.commands import QUICK, Sightline
from support.configs import data_config
from support.images import make_folder

from sightline.data.cache import files as cache
from sightline.data.cache.digests import content_digests
from sightline.data.cache.entries import list_entries
from sightline.data.cache.files import load_or_decode
from sightline.data.cache.images import choose_cache
from sightline.data.reading.transforms import ImageTransform
from sightline.errors import UserError
from sightline.paths import cache_dir
from sightline.types import PreprocessSpec


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))


def test_cached_images_equal_those_of_evaluation(photos: Path) -> None:
    images = images_of(photos)
    cached = load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    transform = ImageTransform(SPEC)
    for index in range(len(images)):
        assert torch.equal(
            torch.from_numpy(np.array(cached.array[index])), transform(images.read(index))
        )


def test_a_file_is_written_once_and_rewritten_when_an_image_changes(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    build = cache._decode_to
    monkeypatch.setattr(cache, "_decode_to", lambda *args: made.append(1) or build(*args))
    for _ in range(2):
        images = images_of(photos)
        load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    assert len(made) == 1
    Image.new("RGB", (40, 30), "red").save(photos / "cat" / "000.png")
    images = images_of(photos)
    cached = load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    assert len(made) == 2
    assert cached.array[0, 0].min() == 255
    other = PreprocessSpec(8, 3, (0.5,) * 3, (0.2,) * 3)
    load_or_decode(images, content_digests(images), other, "photos", 1.0)
    assert len(made) == 3
    assert len(list_entries()) == 3


def test_a_damaged_file_is_written_anew(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = images_of(photos)
    sound = np.array(load_or_decode(images, content_digests(images), SPEC, "photos", 1.0).array)
    [entry] = list_entries()
    folder = cache_dir() / "pictures"
    content = bytearray((folder / f"{entry.key}.npy").read_bytes())
    content[-100] ^= 1
    flipped = bytes(content)  # in one pixel
    damages = ("npy", b""), ("npy", b"\x93NUMPY"), ("npy", flipped), ("json", b""), ("json", b"{}")
    for name, content in damages:
        path = folder / f"{entry.key}.{name}"
        path.write_bytes(content)
        list_entries()
        found = load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
        np.testing.assert_array_equal(found.array, sound)
        assert f"{entry.key}.npy is damaged" in caplog.text
        caplog.clear()


def test_damaged_digests_are_computed_anew(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = images_of(photos)
    sound = content_digests(images)
    assert len(sound) == len(images)
    [file] = (cache_dir() / "digests").glob("*.npy")
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[-40] ^= 1
    for damage in (b"", whole[:100], whole[:-1], bytes(flipped)):
        file.write_bytes(damage)
        np.testing.assert_array_equal(content_digests(images), sound)
        assert f"{file} is damaged" in caplog.text
        caplog.clear()
    np.save(file, sound)  # as files were before
    np.testing.assert_array_equal(content_digests(images), sound)
    assert not caplog.text


def test_several_processes_write_the_same_file_once(photos: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, cache_writer.__file__, str(photos)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    lines = [line for process in running for line in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert lines.count("made") == 1
    assert len({line for line in lines if line != "made"}) == 1
    assert not list(cache_dir().rglob("*.partial"))


def test_the_folder_is_bounded(photos: Path, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other", {"x": 30, "y": 30})
    first, second = images_of(photos), images_of(other)
    bytes_of_one = 48 * 3 * 16 * 16
    limit = 1.5 * bytes_of_one / 2**30
    load_or_decode(first, content_digests(first), SPEC, "first", limit)
    load_or_decode(second, content_digests(second), SPEC, "second", limit)
    assert [entry.name for entry in list_entries()] == ["second"]
    with pytest.raises(UserError, match=r"data\.cache_max_gib"):
        load_or_decode(first, content_digests(first), SPEC, "first", limit / 100)


def test_an_interrupted_build_leaves_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "decode_all", stop)
    images = images_of(photos)
    with pytest.raises(KeyboardInterrupt):
        load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    assert list_entries() == []
    assert not list(cache_dir().rglob("*.partial"))


def test_auto_chooses_by_size(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    images = [images_of(photos)]
    needed = 48 * 3 * 16 * 16

    def chosen(free: int, batched: bool, max_gib: float = 1.0) -> str:
        monkeypatch.setattr(
            "sightline.data.cache.images.psutil.virtual_memory",
            lambda: SimpleNamespace(available=free),
        )
        config = data_config(cache_max_gib=max_gib)
        return choose_cache(config, list(images), SPEC, False, batched)[0]

    assert chosen(4 * needed, batched=True) == "device"
    assert chosen(4 * needed, batched=False) == "ram"
    assert chosen(needed, batched=True) == "disk"
    assert chosen(needed, batched=True, max_gib=needed / 2**31) == "none"


@pytest.mark.parametrize("augment", ["none", "light"])
def test_the_cache_mode_changes_no_number(sightline: Sightline, photos: Path, augment: str) -> None:
    """Also with augmentation of single images; augmentation on the device samples differently."""
    modes = ["none", "ram", "disk"] + (["device"] if augment == "none" else [])
    losses = []
    for mode in modes:
        done = sightline(
            "train", "data=folder", f"data.root={photos}", f"data.cache={mode}",
            *([] if mode == "device" else ["data.num_workers=0"]), f"augment={augment}", *QUICK,
        )  # fmt: skip
        assert done.status == 0, done.err
        run = done.runs[0]  # the latest
        assert run.data.params["data.cache.used"] == mode
        losses.append((run.data.metrics["train/loss"], run.data.metrics["test/loss"]))
    assert all(pair == losses[0] for pair in losses)


def test_device_needs_a_form_for_batches(sightline: Sightline) -> None:
    done = sightline("train", "data.cache=device", "augment=randaugment", *QUICK)
    assert done.status == 1
    assert "augment.batch_transforms is null" in done.err


def test_the_command_lists_and_clears(sightline: Sightline, photos: Path) -> None:
    images = images_of(photos)
    load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    listed = sightline("cache", tracked=False)
    assert listed.status == 0
    assert "photos" in listed.out
    wrong = sightline("cache", "clear", "zzz", tracked=False)
    assert wrong.status == 1
    assert sightline("cache", "clear", tracked=False).status == 0
    assert list_entries() == []
    assert sightline("cache", "frobnicate", tracked=False).status == 2


def test_skipped_images_are_listed_and_bounded(sightline: Sightline, photos: Path) -> None:
    (photos / "cat" / "003.png").write_bytes(b"damaged")
    base = ["data=folder", f"data.root={photos}", *QUICK]
    raised = sightline("train", *base)
    assert raised.status == 1
    assert "cat/003.png" in raised.err
    too_many = sightline("train", *base, "data.on_error=skip")
    assert too_many.status == 1
    assert "max_skipped_fraction" in too_many.err
    for mode in ("ram", "none"):
        allowed = ["data.on_error=skip", "data.max_skipped_fraction=0.1", f"data.cache={mode}"]
        done = sightline("train", *base, *allowed)
        assert done.status == 0, done.err
        run = done.runs[0]
        assert run.data.params["data.skipped"] == "1"
        path = Path(done.client.download_artifacts(run.info.run_id, "skipped.csv"))
        assert "cat/003.png" in path.read_text()
        done.client.delete_run(run.info.run_id)
