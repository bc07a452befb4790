"""Corruptions beside the formulas and constants of Hendrycks and Dietterich's published code.

The constants are written down here again, from ImageNet-C/create_c/make_imagenet_c.py; the
references are NumPy, SciPy, Pillow and colorsys.
"""

from __future__ import annotations

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from sightline.inference.corruptions import CORRUPTIONS, SEVERITIES
from sightline.inference.corruptions.sampling import streaks

SIDE = 224
BY_SEVERITY = list(SEVERITIES)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A smooth image with edges, (224, 224, 3) of 8-bit values in [0, 1]."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.random((SIDE, SIDE, 3)), (4, 4, 0.3))
    image = (image - image.min()) / (image.max() - image.min())
    image[60:120, 80:150] *= 0.3
    image[:8, :8] = 0
    return np.round(image * 255) / 255


def corrupted(name: str, severity: int, image: np.ndarray, copies: int = 1) -> np.ndarray:
    """The function's own result for (H, W, C), unclipped, of shape (copies, H, W, C)."""
    batch = torch.from_numpy(image).float().permute(2, 0, 1).expand(copies, -1, -1, -1).clone()
    result = CORRUPTIONS[name](batch, severity, torch.Generator().manual_seed(1))
    return result.permute(0, 2, 3, 1).numpy()


def close(found: np.ndarray, expected: np.ndarray, atol: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_brightness_raises_the_value_of_hsv(severity: int, photo: np.ndarray) -> None:
    added = [0.1, 0.2, 0.3, 0.4, 0.5][severity - 1]
    found = corrupted("brightness", severity, photo)[0]
    for row, column in [(0, 0), (3, 100), (90, 100), (200, 17), (130, 40)]:
        hue, saturation, value = colorsys.rgb_to_hsv(*photo[row, column])
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + added, 1))
        assert found[row, column] == pytest.approx(expected, abs=1e-5)
    grey = corrupted("brightness", severity, photo[:, :, :1])[0]
    close(grey, np.minimum(photo[:, :, :1] + added, 1), 1e-5)


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_contrast_pixelation_and_compression_are_the_published_ones(
    severity: int, photo: np.ndarray
) -> None:
    share = [0.4, 0.3, 0.2, 0.1, 0.05][severity - 1]
    means = photo.mean(axis=(0, 1), keepdims=True)
    found = corrupted("contrast", severity, photo)[0]
    close(found, (photo - means) * share + means, 1e-5)
    whole = Image.fromarray((photo * 255).round().astype(np.uint8))
    side = int(SIDE * [0.6, 0.5, 0.4, 0.3, 0.25][severity - 1])
    small = whole.resize((side, side), Image.Resampling.BOX)
    large = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
    difference = np.abs(corrupted("pixelate", severity, photo)[0] - large)
    assert np.quantile(difference, 0.99) < 2 / 255  # Pillow rounds which of two pixels is nearer
    stream = io.BytesIO()
    whole.save(stream, "JPEG", quality=[25, 18, 15, 10, 7][severity - 1])
    decoded = np.asarray(Image.open(stream)) / 255
    assert np.abs(corrupted("jpeg", severity, photo)[0] - decoded).mean() < 2 / 255


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_noise_has_the_published_size(severity: int) -> None:
    flat = np.full((SIDE, SIDE, 3), 0.5)
    noise = corrupted("gaussian_noise", severity, flat) - 0.5
    assert noise.std() == pytest.approx([0.08, 0.12, 0.18, 0.26, 0.38][severity - 1], rel=0.02)
    photons = [60, 25, 12, 5, 3][severity - 1]
    counts = corrupted("shot_noise", severity, flat) * photons
    close(counts, counts.round(), 1e-4)
    assert counts.mean() == pytest.approx(0.5 * photons, rel=0.02)
    assert counts.var() == pytest.approx(0.5 * photons, rel=0.03)  # of a Poisson distribution
    changed = corrupted("impulse_noise", severity, flat)
    amount = [0.03, 0.06, 0.09, 0.17, 0.27][severity - 1]
    assert (changed == 0).mean() == pytest.approx(amount / 2, rel=0.06)  # and as many of salt
    assert (changed == 1).mean() == pytest.approx(amount / 2, rel=0.06)


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_blurs_have_the_published_kernels(severity: int, photo: np.ndarray) -> None:
    inner = slice(32, -32)  # SciPy treats edges in another way
    sigma = [1, 2, 3, 4, 6][severity - 1]
    expected = ndimage.gaussian_filter(photo, (sigma, sigma, 0), truncate=4)
    found = corrupted("gaussian_blur", severity, photo)[0]
    close(found[inner, inner], expected[inner, inner], 1e-4)
    radius = [3, 4, 6, 8, 10][severity - 1]
    line = np.arange(-radius, radius + 1)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).astype(float)
    sharp = ndimage.convolve(photo, (disk / disk.sum())[:, :, None])
    found = corrupted("defocus_blur", severity, photo)[0]
    harm = np.abs(sharp - photo)[inner, inner].mean()
    assert np.abs(found - sharp)[inner, inner].mean() < 0.1 * harm  # the edge of its disk is smooth


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_motion_blur_is_half_a_gaussian_at_up_to_45_degrees(severity: int) -> None:
    radius, sigma = [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)][severity - 1]
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    expected = (weights * steps).sum() / weights.sum()
    point = np.zeros((SIDE, SIDE, 1))
    point[112, 112] = 1
    found = corrupted("motion_blur", severity, point, copies=8)[..., 0]
    assert found.sum(axis=(1, 2)) == pytest.approx(np.ones(8), abs=1e-3)
    down, right = np.indices((SIDE, SIDE)) - 112
    moved = np.stack([(found * down).sum(axis=(1, 2)), (found * right).sum(axis=(1, 2))])
    assert np.hypot(*moved) == pytest.approx(np.full(8, expected), rel=0.02)
    angles = np.degrees(np.arctan2(moved[0], np.abs(moved[1])))
    assert np.abs(angles).max() <= 45.1
    assert np.abs(angles).max() > 20


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_zoom_blur_takes_the_published_factors(severity: int, photo: np.ndarray) -> None:
    factors = [
        np.arange(1, 1.11, 0.01), np.arange(1, 1.16, 0.01), np.arange(1, 1.21, 0.02),
        np.arange(1, 1.26, 0.02), np.arange(1, 1.31, 0.03),
    ][severity - 1]  # fmt: skip
    middle = (SIDE - 1) / 2
    grid = np.indices((SIDE, SIDE)) - middle
    channel = photo[:, :, 0]
    total = channel + sum(ndimage.map_coordinates(channel, grid / f + middle, order=1)
                          for f in factors)  # fmt: skip
    found = corrupted("zoom_blur", severity, photo)[0, :, :, 0]
    close(found, total / (len(factors) + 1), 2e-3)


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_fog_is_laid_over_as_published(severity: int, photo: np.ndarray) -> None:
    amount = [1.5, 2, 2.5, 2.5, 3][severity - 1]
    found = corrupted("fog", severity, photo)[0].astype(float)
    clouds = (found * (photo.max() + amount) / photo.max() - photo) / amount
    close(clouds, np.repeat(clouds[:, :, :1], 3, axis=2), 1e-4)
    assert -1e-4 < clouds.min() < 0.35
    assert 0.65 < clouds.max() < 1 + 1e-4


def test_glass_blur_moves_pixels_as_far_as_the_published_swaps(photo: np.ndarray) -> None:
    """The standard deviation of a pixel's movement, of the published loop on a map of places."""
    rng = np.random.default_rng(0)
    for severity, (sigma, reach, times) in enumerate(
        [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)], start=1
    ):
        # A gradient shows the movement; blurring it changes nothing away from the edges.
        gradient = np.repeat(np.arange(SIDE, dtype=float)[:, None, None] / SIDE, SIDE, axis=1)
        found = corrupted("glass_blur", severity, gradient)[0, 40:-40, 40:-40, 0]
        moved = np.rint(rng.uniform(-1, 1, (SIDE, SIDE)) * reach * times**0.5)
        blurred = ndimage.gaussian_filter(moved, sigma)[40:-40, 40:-40] / SIDE
        expected = blurred.std()
        assert (found - gradient[40:-40, 40:-40, 0]).std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("severity", [3, 4, 5])
def test_elastic_waves_are_as_large_as_published(severity: int) -> None:
    """Severities 1 and 2 depart from the published ones; their docstring says how."""
    alpha, sigma = {3: (244 * 0.05, 244 * 0.01), 4: (244 * 0.07, 244 * 0.01),
                    5: (244 * 0.12, 244 * 0.01)}[severity]  # fmt: skip
    rng = np.random.default_rng(0)
    waves = ndimage.gaussian_filter(rng.uniform(-1, 1, (SIDE, SIDE)), sigma, truncate=3) * alpha
    gradient = np.repeat(np.arange(SIDE, dtype=float)[None, :, None], SIDE, axis=0)
    moved = corrupted("elastic_transform", severity, gradient, copies=2)[..., 0]
    moved = moved[:, 40:-40, 40:-40] - gradient[40:-40, 40:-40, 0]
    down, right = np.indices(moved.shape[1:])
    plane = np.stack([np.ones(down.size), down.ravel(), right.ravel()], axis=1)
    for each in moved:  # what is left without the movement of the whole image
        flat = each.ravel() - plane @ np.linalg.lstsq(plane, each.ravel(), rcond=None)[0]
        assert flat.std() == pytest.approx(waves.std(), rel=0.12)


@pytest.mark.parametrize("severity", BY_SEVERITY)
def test_snow_whitens_as_published_and_covers_about_as_much(
    severity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean, spread, zoom, least, radius, sigma, kept = [
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ][severity - 1]  # fmt: skip
    colour = np.array([0.5, 0.2, 0.1])
    white = kept * colour + (1 - kept) * np.maximum(
        colour, colour @ [0.299, 0.587, 0.114] * 1.5 + 0.5
    )
    fall: list[tuple[float, float]] = []

    def recorded(image: Tensor, angle: Tensor, length: float, sigma: float) -> Tensor:
        fall.append((length, sigma))
        assert ((angle >= np.pi / 4) & (angle <= 3 * np.pi / 4)).all()
        return streaks(image, angle, length, sigma)

    monkeypatch.setattr("sightline.inference.corruptions.weather.streaks", recorded)
    found = corrupted("snow", severity, np.broadcast_to(colour, (SIDE, SIDE, 3)).copy(), copies=2)
    assert fall == [(2 * radius, sigma)]
    falling = found - white
    assert falling.min() > -1e-4
    assert np.ptp(falling, axis=3).max() < 1e-4  # the flakes have no colour
    rng = np.random.default_rng(0)
    small = rng.normal(mean, spread, (2, *[int(np.ceil(SIDE / zoom))] * 2))
    flakes = np.stack([ndimage.zoom(each, zoom, order=1)[:SIDE, :SIDE] for each in small])
    flakes[flakes < least] = 0
    amount = 2 * flakes.clip(0, 1).mean()  # and as much again, turned by 180 degrees
    assert falling.mean() == pytest.approx(amount, rel=0.5 if severity == 3 else 0.35)
