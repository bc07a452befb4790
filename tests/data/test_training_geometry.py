"""Training geometries: boxes distributed as torchvision's, and one image's pixels as a batch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import chi2_contingency, chisquare
from timm.data.transforms import RandomResizedCropAndInterpolation
from torchvision.transforms import RandomResizedCrop as TorchvisionCrop
from torchvision.transforms.v2 import functional

from sightline.data.cache.digests import content_digests
from sightline.data.cache.files import load_or_decode
from sightline.data.geometries.base import Crops, TrainingGeometry
from sightline.data.geometries.batched import cut_batch
from sightline.data.geometries.frames import Frame, frame_side
from sightline.data.geometries.random_crop import RandomCrop
from sightline.data.geometries.random_resized_crop import RandomResizedCrop
from sightline.data.geometries.simple_resized_crop import SimpleResizedCrop
from sightline.data.geometries.single import CropImage, cut_image
from sightline.data.reading.images import ArrayImages
from sightline.errors import UserError
from sightline.types import PreprocessSpec, Size

SCALE, RATIO = [0.08, 1.0], [3 / 4, 4 / 3]


def same_distribution(first: np.ndarray, second: np.ndarray) -> float:
    """The p-value of a chi-square test on two samples of boxes (N, 4); rare boxes are one cell."""
    both = np.concatenate([first, second])
    _, cells = np.unique(both, axis=0, return_inverse=True)
    of_second = np.arange(len(both)) >= len(first)
    table = np.stack([np.bincount(cells[of_second == which], minlength=cells.max() + 1)
                      for which in (False, True)])  # fmt: skip
    rare = table.sum(0) < 60
    merged = np.concatenate([table[:, ~rare], table[:, rare].sum(1, keepdims=True)], 1)
    return float(chi2_contingency(merged[:, merged.sum(0) > 0]).pvalue)


@pytest.mark.parametrize("size", [(9, 12), (6, 30)], ids=str)
def test_boxes_are_distributed_as_torchvisions_and_timms(size: Size) -> None:
    """With long images the middle is cut out now and then. By hand: 100,000 of torchvision's."""
    torch.manual_seed(0)
    geometry = RandomResizedCrop(SCALE, RATIO, "bilinear")
    ours = geometry.sample(torch.tensor(size).expand(100_000, 2), (8, 8)).boxes.numpy()
    image = torch.empty(3, *size)
    few = [TorchvisionCrop.get_params(image, SCALE, RATIO) for _ in range(1_000)]
    assert same_distribution(ours, np.array(few)) > 1e-3
    import random

    random.seed(0)
    timms = [RandomResizedCropAndInterpolation.get_params(image, SCALE, RATIO)
             for _ in range(5_000)]  # fmt: skip
    assert same_distribution(ours, np.array(timms)) > 1e-3
    other = RandomResizedCrop([0.4, 1.0], RATIO, "bilinear").sample(
        torch.tensor(size).expand(5_000, 2), (8, 8)
    )
    if size == (9, 12):  # the test can fail
        assert same_distribution(other.boxes.numpy(), np.array(timms)) < 1e-6


def test_every_image_has_a_crop_of_its_own_size() -> None:
    torch.manual_seed(0)
    sizes = torch.randint(5, 60, (500, 2))
    boxes = RandomResizedCrop(SCALE, RATIO, "random").sample(sizes, (8, 8)).boxes
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= sizes).all()


def noise(rng: np.random.Generator, height: int, width: int) -> Image.Image:
    """Half of them black and white alone, where cubic interpolation overshoots most."""
    if rng.random() < 0.5:
        return Image.fromarray(rng.choice([0, 255], (height, width, 3)).astype(np.uint8))
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    return coarse.resize((width, height))


def one_of(crops: Crops, index: int) -> Crops:
    part = slice(index, index + 1)
    return Crops(crops.resized[part], crops.boxes[part], crops.cubic[part])


GEOMETRIES: dict[str, tuple[TrainingGeometry, Size]] = {
    "enlarged": (RandomResizedCrop(SCALE, RATIO, "random"), (64, 64)),
    "reduced": (RandomResizedCrop([0.3, 1.0], RATIO, "random"), (14, 14)),
    "not square": (RandomResizedCrop(SCALE, RATIO, "random"), (20, 33)),
    "padded": (RandomCrop(4, "constant", "bilinear"), (32, 32)),
    "reflected": (RandomCrop(5, "reflect", "bicubic"), (24, 30)),
    "deit": (SimpleResizedCrop("bicubic"), (32, 32)),
}


@pytest.mark.parametrize("case", GEOMETRIES)
def test_a_batch_gets_the_pixels_of_single_images(case: str) -> None:
    """To two grey levels for the same box, whatever the sizes of the images in the batch."""
    geometry, out = GEOMETRIES[case]
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    images = [noise(rng, *map(int, rng.integers(20, 64, 2))) for _ in range(60)]
    sizes = torch.tensor([[image.height, image.width] for image in images])
    batch = torch.full((60, 3, 64, 64), 77, dtype=torch.uint8)  # what is beside counts nowhere
    for row, image in zip(batch, images, strict=True):
        row[:, : image.height, : image.width] = functional.pil_to_tensor(image)
    crops = geometry.sample(sizes, out)
    found = cut_batch(batch, sizes, crops, out, geometry.padding)
    for index, image in enumerate(images):
        alone = cut_image(image, one_of(crops, index), out, geometry.padding)
        expected = functional.pil_to_tensor(alone)
        assert (found[index].int() - expected.int()).abs().max() <= 2, (index, image.size)


def test_images_of_the_inputs_size_are_padded_and_shifted_alone() -> None:
    """CIFAR's crop as torchvision makes it, to the pixel, at each of 81 places equally often."""
    geometry = RandomCrop(4, "constant", "bilinear")
    torch.manual_seed(0)
    sizes = torch.tensor([[32, 32]]).expand(20_000, 2)
    crops = geometry.sample(sizes, (32, 32))
    places = (crops.boxes[:, 0] + 4) * 9 + crops.boxes[:, 1] + 4
    assert chisquare(np.bincount(places.numpy(), minlength=81)).pvalue > 1e-3
    image = noise(np.random.default_rng(0), 32, 32)
    padded = functional.pad(functional.pil_to_tensor(image), [4, 4, 4, 4])
    for index in range(20):
        top, left, _, _ = crops.boxes[index].tolist()
        expected = functional.crop(padded, top + 4, left + 4, 32, 32)
        found = cut_image(image, one_of(crops, index), (32, 32), "constant")
        assert torch.equal(functional.pil_to_tensor(found), expected)


def test_deits_crop_is_timms() -> None:
    """The whole image at the input's scale, 4 pixels of reflection, and any place."""
    image = functional.pil_to_tensor(noise(np.random.default_rng(3), 40, 61))
    torch.manual_seed(0)
    crops = SimpleResizedCrop("bicubic").sample(torch.tensor([[40, 61]]), (24, 24))
    method = functional.InterpolationMode.BICUBIC
    resized = functional.resize(image, 24, method)
    padded = functional.pad(resized, [4, 4, 4, 4], padding_mode="reflect")
    top, left, height, width = crops.boxes[0].tolist()
    assert (height, width) == (24, 24)
    assert tuple(crops.resized[0].tolist()) == tuple(resized.shape[1:])
    expected = functional.crop(padded, top + 4, left + 4, 24, 24)
    assert torch.equal(torch.as_tensor(cut_image(image, crops, (24, 24), "reflect")), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomResizedCrop([0.5, 0.1], RATIO, "random"), r"geometry\.scale: .*lower one"),
        (lambda: RandomResizedCrop([0.5, 2.0], RATIO, "random"), r"geometry\.scale: .*and 1"),
        (lambda: RandomResizedCrop(SCALE, [0.0, 1.0], "random"), r"geometry\.ratio"),
        (lambda: RandomCrop(-1, "constant", "bilinear"), r"geometry\.pad: .*from 0.*-1"),
        (lambda: CropImage(RandomCrop(9, "reflect", "bilinear"), (8, 8))(torch.zeros(1, 8, 8)),
         r"geometry\.pad=9: .*8×8 pixels.* up to 7"),
    ],
)  # fmt: skip
def test_what_cannot_be_cropped_is_said(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UserError, match=message):
        make()


def test_a_cache_holds_whole_images_no_larger_than_needed() -> None:
    spec = PreprocessSpec(16, 3, (0.5,) * 3, (0.2,) * 3)
    frame = Frame(frame_side(None, 32, [20, 50]), spec)
    rng = np.random.default_rng(0)
    assert frame.side == 32
    assert Frame(frame_side(None, 32, [20, 24]), spec).side == 24  # never larger than the images
    large, small = (rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
                    for size in ((48, 64), (10, 30)))  # fmt: skip
    for array, size in ((large, (24, 32)), (small, (10, 30))):
        images = ArrayImages(array)
        found = load_or_decode(images, content_digests(images), spec, "noise", 1.0, frame)
        assert found.sizes is not None
        assert found.array.shape == (2, 3, 32, 32)
        assert [tuple(each) for each in found.sizes.tolist()] == [size, size]
        expected = functional.resize(Image.fromarray(array[1]), list(size))
        corner = torch.from_numpy(np.array(found.array[1, :, : size[0], : size[1]]))
        assert torch.equal(corner, functional.pil_to_tensor(expected))
        assert not found.array[1, :, size[0] :].any()
