"""The interface of training samples that are read in sequence, in shards."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from sightline.data.reading.decode import PLAIN, Reading, read_image
from sightline.data.reading.facts import Facts, facts_of_file
from sightline.data.reading.raster import ImageData
from sightline.types import PixelSpec

StreamedSample = tuple[str, bytes, Any]  # name, the image's encoded file, target


class Stream(ABC):
    """Samples of a training split that is too large to index or to hold.

    Attributes:
        samples: number of samples in an epoch.
        shards: number of parts that can be read in parallel.
    """

    samples: int
    shards: int

    @abstractmethod
    def read(self, part: int, parts: int, seed: int) -> Iterator[StreamedSample]:
        """The samples of every `parts`-th shard from shard `part` on, shuffled, without end.

        Args:
            part: index of the reader, from 0.
            parts: number of readers.
            seed: of the order; it differs between epochs.
        """

    def facts(self, count: int, pixels: PixelSpec) -> list[Facts]:
        """Facts of the first `count` images."""
        first = itertools.islice(self.read(0, 1, seed=0), min(count, self.samples))
        return [facts_of_file(content, name, pixels) for name, content, _ in first]

    def sample(self, count: int, reading: Reading = PLAIN) -> list[ImageData]:
        """The first `count` images, for statistics.

        Raises:
            UnreadableImage: one of them cannot be read.
        """
        first = itertools.islice(self.read(0, 1, seed=0), min(count, self.samples))
        return [read_image(content, name, reading) for name, content, _ in first]
