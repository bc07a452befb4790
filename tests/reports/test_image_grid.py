"""The figure of a training batch, for images with any number of channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.reports.canvas import to_png
from sightline.reports.figures.image_grid import draw_samples


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (13, 3)])
def test_images_with_any_number_of_channels_are_drawn(channels: int, shown: int) -> None:
    images = torch.randint(0, 255, (3, channels, 6, 5), dtype=torch.uint8)
    figure = draw_samples(images, ["a", "b", "c"], "batch")
    drawn = np.asarray(figure.axes[0].images[1].get_array())
    expected = images[1, :shown].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(drawn, expected[:, :, 0] if shown == 1 else expected)
    assert to_png(figure).startswith(b"\x89PNG")


def test_a_batch_that_was_augmented_on_the_device_is_no_white_figure() -> None:
    """Its values are floating-point numbers of 0 to 255, which Matplotlib cuts at 1."""
    images = 255 * torch.rand(2, 3, 6, 5)
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 255.4, -0.3
    figure = draw_samples(images, ["a", "b"], "batch")
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    assert drawn.dtype == np.uint8
    expected = images[0].permute(1, 2, 0).numpy().clip(0, 255)
    np.testing.assert_allclose(drawn, expected, atol=0.5)
