"""Small folders of images, made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_folder(root: Path, counts: dict[str, int], size: tuple[int, int] = (40, 30)) -> Path:
    """ROOT/CLASS/*.png, each class a colour of its own with noise."""
    rng = np.random.default_rng(0)
    for index, (name, count) in enumerate(counts.items()):
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 100, (size[1], size[0], 3), dtype=np.uint8)
            pixels[..., index % 3] += 120
            Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return root


def make_split_images(root: Path, counts: dict[str, int]) -> None:
    """ROOT/{train,val,test}/{bird,cat,dog}/*: photographs of several sizes and kinds of file."""
    rng = np.random.default_rng(0)
    for split, count in counts.items():
        for index, name in enumerate(("bird", "cat", "dog")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                size = (int(rng.integers(24, 48)), int(rng.integers(24, 48)), 3)
                pixels = rng.integers(0, 150, size, dtype=np.uint8)
                pixels[..., index] += rng.integers(0, 90, dtype=np.uint8)
                ending = "jpg" if number % 2 else "png"
                Image.fromarray(pixels).save(folder / f"{number:03d}.{ending}")


SITES = ("north", "north", "south", "south", "")


def label_rows(root: Path) -> None:
    """ROOT/labels.csv: two labels, of which an image has one, both or none; and where from."""
    lines = ["image,bird,odd,split,site"]
    for path in sorted(root.rglob("*.*")):
        name = path.relative_to(root).as_posix()
        split, animal, file = name.split("/")
        lines.append(
            f"{name},{int(animal == 'bird')},{int(file[:3]) % 2},{split},{SITES[int(file[:3]) % 5]}"
        )
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
