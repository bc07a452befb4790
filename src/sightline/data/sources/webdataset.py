"""Tar shards read in sequence (the extra `webdataset`), for data larger than one disk."""

import logging
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from sightline.data.reading.formats import image_suffixes
from sightline.data.reading.images import BytesImages
from sightline.data.reading.stream import Stream, StreamedSample
from sightline.data.source_data import SourceData, Split, take
from sightline.data.sources.shard_labels import Labels
from sightline.data.sources.shards import existing_shards, require_webdataset
from sightline.errors import UserError
from sightline.io.declared_size import check_fits

log = logging.getLogger(__name__)

META = re.compile(r"__[^/]*__($|/)")  # what WebDataset keeps in shards beside samples


class TarStream(Stream):
    """Shards of samples KEY.jpg (or another kind) with KEY.cls or KEY.json.

    Args:
        urls: the shards.
        labels: reads a sample's label.
        samples: number of samples in an epoch; None: counted, which reads every shard once.
        buffer: samples that are shuffled among each other.
    """

    def __init__(self, urls: list[str], labels: Labels, samples: int | None, buffer: int) -> None:
        self.urls = urls
        self.labels = labels
        self.buffer = buffer
        self.shards = len(urls)
        if samples is None:
            samples = sum(1 for _ in _raw(urls))
            log.info("shards:  %d with %s training samples", len(urls), f"{samples:,}")
        self.samples = samples

    def read(self, part: int, parts: int, seed: int) -> Iterator[StreamedSample]:
        """See `Stream.read`; shards in a new order each time, samples through the buffer."""
        rng = np.random.default_rng(seed)  # the same for all parts: no shard is read twice
        while True:
            order = rng.permutation(len(self.urls))
            mine = [self.urls[index] for index in order[part::parts]]
            samples = _webdataset().shuffle(self.buffer, initial=self.buffer, seed=seed + part)(
                _raw(mine)
            )
            for sample in samples:
                yield _image(sample), _content(sample), self.labels.read(sample)


def read_webdataset(
    multi_label: bool,
    train: str | list[str],
    val: str | list[str],
    test: str | list[str],
    class_names: list[str],
    label_key: str | None,
    train_samples: int | None,
    shuffle_buffer: int,
) -> SourceData:
    """Train is read in sequence, every epoch; val and test are read into memory once.

    Args:
        multi_label: whether the label mode takes any number of labels an image.
        train: paths or addresses of shards, with {0000..0099}, * or as a list.
        val: likewise.
        test: likewise.
        class_names: in the order of the numbers in .cls files.
        label_key: the key in .json files that holds the label (or a list); None: .cls files.
        train_samples: number of samples in an epoch; None: counted, which reads every shard once.
        shuffle_buffer: samples that are shuffled among each other.
    """
    _webdataset()
    labels = Labels(tuple(map(str, class_names)), label_key, multi_label)
    stream = TarStream(_urls(train, "train"), labels, train_samples, shuffle_buffer)
    if stream.samples == 0:
        raise UserError(f"data.train={train}: the shards hold no samples.")
    splits = {
        name: _in_memory(name, _urls(urls, name), labels)
        for name, urls in (("val", val), ("test", test))
    }
    location = str(train)
    return SourceData("webdataset", location, labels.class_names, splits, stream=stream)


def _webdataset() -> Any:
    require_webdataset()
    import webdataset

    return webdataset


def _urls(wanted: str | list[str], name: str) -> list[str]:
    found: list[str] = []
    for each in [wanted] if isinstance(wanted, str) else wanted:
        found += existing_shards(_webdataset().shardlists.expand_urls(each), f"data.{name}")
    return found


def _raw(urls: list[str]) -> Iterator[dict[str, Any]]:
    """Samples as the library groups them: a file's bytes for each ending."""
    library = _webdataset()
    for url in urls:
        try:
            with library.gopen(url) as stream:  # the library itself leaves it open
                yield from library.tariterators.group_by_keys(_files(url, stream))
        except (OSError, ValueError, EOFError, tarfile.TarError) as error:
            raise UserError(f"The shard {url} cannot be read: {error}") from error


def _files(url: str, stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """A shard's files; what one declares is compared with the free memory before it is read."""
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for entry in tar:
            if not entry.isreg() or META.match(entry.name):
                continue
            check_fits(f"{url}: {entry.name}", entry.size)
            content = tar.extractfile(entry)
            assert content is not None  # of a plain file
            yield {"fname": entry.name, "data": content.read(), "__url__": url}
            tar.members = []  # type: ignore[attr-defined]  # else all that were read are kept


def _image(sample: dict[str, Any]) -> str:
    """SHARD/KEY.ENDING of a sample's image."""
    for ending in sample:
        if f".{ending.lower()}" in image_suffixes():
            return f"{Path(sample['__url__']).name}/{sample['__key__']}.{ending}"
    raise UserError(f"{sample['__url__']}, sample {sample['__key__']!r}: it has no image.")


def _content(sample: dict[str, Any]) -> bytes:
    content: bytes = sample[_image(sample).rsplit(".", 1)[1]]
    return content


def _in_memory(name: str, urls: list[str], labels: Labels) -> Split:
    samples = list(_raw(urls))
    if not samples:
        raise UserError(f"data.{name}: the shards hold no samples.")
    ids = pa.array([_image(sample) for sample in samples], pa.string())
    column = pa.chunked_array([pa.array([_content(sample)], pa.binary()) for sample in samples])
    targets = np.array([labels.read(sample) for sample in samples])
    return take(ids, targets, BytesImages(column.combine_chunks(), ids))
