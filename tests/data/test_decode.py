"""Decoding of JPEGs: exact at the full size, or fast at a part of it, as the checkpoint says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sklearn.datasets
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from sightline.config.legacy import as_of_now
from sightline.data.loading.datasets import SourceReader
from sightline.data.reading.decode import read_image
from sightline.data.reading.transforms import ImageTransform
from sightline.data.sources.folder import read_folder
from sightline.inference.image_batches import ImageBatches
from sightline.types import PreprocessSpec

EXACT = PreprocessSpec(64, 3, (0.5,) * 3, (0.25,) * 3)
FAST = replace(EXACT, decode="fast")
PHOTO = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"  # 640 by 427 pixels


def prepared(spec: PreprocessSpec, file: Path = PHOTO) -> torch.Tensor:
    transform = ImageTransform(spec)
    return transform(read_image(file, file.name, transform.reading))


def test_exact_is_the_resized_full_image_and_fast_is_near_it() -> None:
    with Image.open(PHOTO) as whole:
        resized = functional.center_crop(functional.resize(whole.convert("RGB"), [64]), [64, 64])
    assert torch.equal(prepared(EXACT), functional.pil_to_tensor(resized))
    difference = (prepared(FAST).float() - prepared(EXACT).float()).abs()
    assert 0.05 < difference.mean() < 3  # another size was decoded, of the same image


def test_both_are_equal_where_an_image_is_not_twice_too_large(tmp_path: Path) -> None:
    with Image.open(PHOTO) as whole:
        whole.resize((200, 150)).save(tmp_path / "small.jpg")
        whole.save(tmp_path / "photo.png")
    for name in ("small.jpg", "photo.png"):
        assert torch.equal(prepared(EXACT, tmp_path / name), prepared(FAST, tmp_path / name))


@pytest.mark.parametrize("spec", [EXACT, FAST])
def test_every_reader_of_files_decodes_as_the_spec_says(
    spec: PreprocessSpec, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.jpg").write_bytes(PHOTO.read_bytes())
    split = read_folder(str(tmp_path)).splits["train"]
    transform, expected = ImageTransform(spec), prepared(spec)
    assert torch.equal(SourceReader(split, transform)(0), expected)
    assert torch.equal(ImageBatches(split.images, transform, 0, 2)[0].images[0], expected)


def test_what_older_versions_wrote_is_decoded_as_they_did() -> None:
    stored = EXACT.to_dict()
    assert PreprocessSpec.from_dict(stored) == EXACT
    del stored["decode"]
    assert PreprocessSpec.from_dict(stored) == FAST
    assert as_of_now({"data": {"root": "x"}})["data"]["decode"] == "fast"
    assert as_of_now({"data": {"decode": "exact"}})["data"]["decode"] == "exact"
