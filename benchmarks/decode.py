"""Exact and fast decoding of JPEGs: images per second on one core, and how far pixels differ.

Run: python benchmarks/decode.py FOLDER [SIDE ...]   (a folder of JPEGs; sides in pixels)
"""

import statistics
import sys
import time
from pathlib import Path

import torch

from sightline.data.reading.decode import read_image
from sightline.data.reading.transforms import ImageTransform
from sightline.types import PreprocessSpec

IMAGES, ROUNDS = 200, 5


def main(folder: Path, sides: list[int]) -> None:
    """Print a row for each side."""
    torch.set_num_threads(1)
    files = [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))[:IMAGES]]
    print(f"{len(files)} JPEGs; medians of {ROUNDS} rounds in turns\n")
    print("| side | exact, images/s | fast, images/s | fast / exact | difference, grey levels |")
    print("|---:|---:|---:|---:|---:|")
    for side in sides:
        seconds: dict[str, list[float]] = {"exact": [], "fast": []}
        decoded = {}
        for _ in range(ROUNDS):
            for how, measured in seconds.items():
                spec = PreprocessSpec(side, 3, (0.5,) * 3, (0.25,) * 3, decode=how)
                transform = ImageTransform(spec)
                start = time.perf_counter()
                images = [transform(read_image(f, "x.jpg", transform.reading)) for f in files]
                measured.append(time.perf_counter() - start)
                decoded[how] = torch.stack(images).float()
        speed = {how: len(files) / statistics.median(s) for how, s in seconds.items()}
        difference = (decoded["exact"] - decoded["fast"]).abs().mean().item()
        print(
            f"| {side} | {speed['exact']:.0f} | {speed['fast']:.0f} "
            f"| {speed['fast'] / speed['exact']:.2f} | {difference:.2f} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(side) for side in sys.argv[2:]] or [64, 128, 224])
