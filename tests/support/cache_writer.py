"""A process that decodes a folder's images into the cache, and prints whether it wrote the file.

usage: cache_writer.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sightline.data.cache import files
from sightline.data.cache.digests import content_digests
from sightline.data.reading.images import FileImages
from sightline.data.sources.folder import read_folder
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(16, 3, (0.5,) * 3, (0.2,) * 3)


def images_of(root: Path) -> FileImages:
    images = read_folder(str(root)).splits["train"].images
    assert isinstance(images, FileImages)
    return images


def main(root: Path) -> None:
    build = files._decode_to

    def watched(*arguments: Any) -> Any:
        print("made")
        return build(*arguments)

    files._decode_to = watched
    images = images_of(root)
    cached = files.load_or_decode(images, content_digests(images), SPEC, "photos", 1.0)
    print(cached.array.sum())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
