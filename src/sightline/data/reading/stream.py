"""The interface of training samples that are read in sequence, in shards."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from sightline.data.reading.decode import ImageData, read_image

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

    def sample(self, count: int) -> list[ImageData]:
        """The first `count` images, for statistics.

        Raises:
            UnreadableImage: one of them cannot be read.
        """
        images = []
        for name, content, _ in self.read(0, 1, seed=0):
            images.append(read_image(content, name))
            if len(images) == min(count, self.samples):
                break
        return images
