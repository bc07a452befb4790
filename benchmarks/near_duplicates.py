"""Changed copies that the perceptual hash finds, and different images that it takes for copies.

Run: python benchmarks/near_duplicates.py FOLDER   (a folder of JPEGs; the first 200 are used)
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sightline.doctor.images import perceptual_hashes

IMAGES, LIMITS = 200, (2, 4, 6, 8, 10, 12)
Change = Callable[[Image.Image], Image.Image]


def crop(share: float, rng: np.random.Generator) -> Change:
    """Cut off a share of width and height, at a random place."""

    def cropped(image: Image.Image) -> Image.Image:
        width, height = (int(side * (1 - share)) for side in image.size)
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return cropped


def compressed(image: Image.Image) -> Image.Image:
    """A JPEG of quality 30."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=30)
    return Image.open(stream)


def main(folder: Path) -> None:
    """Print a row for each change, and the false pairs."""
    images = [Image.open(path).convert("RGB") for path in sorted(folder.rglob("*.jpg"))[:IMAGES]]
    hashes, mirrored = np.array([perceptual_hashes(image) for image in images], np.uint64).T
    rng = np.random.default_rng(0)
    changes: dict[str, Change] = {f"crop by {s:.0%}": crop(s, rng) for s in (0.02, 0.05, 0.1)}
    changes |= {"JPEG of quality 30": compressed, "mirrored": ImageOps.mirror}
    print("| bits | " + " | ".join(map(str, LIMITS)) + " |\n|---|" + "---:|" * len(LIMITS))
    for name, change in changes.items():
        copies = np.array([perceptual_hashes(change(image)) for image in images], np.uint64)
        distance = np.bitwise_count(hashes[:, None] ^ copies).min(axis=1)
        print(f"| {name} | " + " | ".join(f"{(distance <= n).mean():.3f}" for n in LIMITS) + " |")
    pairs = np.triu_indices(len(images), 1)
    for name, other in (("false pairs", hashes), ("false pairs, mirrored", mirrored)):
        distance = np.bitwise_count(hashes[:, None] ^ other)[pairs]
        print(f"| {name} | " + " | ".join(str((distance <= n).sum()) for n in LIMITS) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
