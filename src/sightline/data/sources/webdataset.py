"""Tar shards read in sequence (the extra `webdataset`), for data larger than one disk."""

import json
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.data.reading.formats import image_suffixes
from sightline.data.reading.images import BytesImages
from sightline.data.reading.stream import Stream, StreamedSample
from sightline.data.source_data import SourceData, Split, take
from sightline.data.sources.shards import existing_shards, require_webdataset
from sightline.errors import UserError, did_you_mean

log = logging.getLogger(__name__)


class TarStream(Stream):
    """Shards of samples KEY.jpg (or another kind) with KEY.cls or KEY.json.

    Args:
        urls: the shards.
        labels: reads a sample's label.
        samples: number of samples in an epoch; None: counted, which reads every shard once.
        buffer: samples that are shuffled among each other.
    """

    def __init__(self, urls: list[str], labels: "Labels", samples: int | None, buffer: int) -> None:
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


class Labels:
    """Reader of a sample's label file."""

    def __init__(
        self, class_names: tuple[str, ...], label_key: str | None, multi_label: bool
    ) -> None:
        self.class_names = class_names
        self.index = {name: position for position, name in enumerate(class_names)}
        self.label_key = label_key
        self.multi_label = multi_label

    def read(self, sample: dict[str, Any]) -> Any:
        """A class index; of several labels a row of 0 and 1.

        Raises:
            UserError: names the shard and the sample.
        """
        where = f"{sample['__url__']}, sample {sample['__key__']!r}"
        if self.label_key is not None:
            if "json" not in sample:
                raise UserError(f"{where}: it has no .json file for data.label_key.")
            label = json.loads(sample["json"]).get(self.label_key)
        elif "cls" in sample:
            text = sample["cls"].decode().strip()
            label = int(text) if text.isdecimal() else text
        else:
            raise UserError(f"{where}: it has no .cls file; give data.label_key for a .json file.")
        if not self.multi_label:
            return self._index(label, where)
        row = np.zeros(len(self.class_names), np.int8)
        labels = label if isinstance(label, list) else [each for each in str(label).split() if each]
        for each in labels:
            row[self._index(int(each) if str(each).isdecimal() else each, where)] = 1
        return row

    def _index(self, label: Any, where: str) -> int:
        if isinstance(label, int) and 0 <= label < len(self.class_names):
            return label
        if label not in self.index:
            raise UserError(
                f"{where}: the class {label!r} is not one of data.class_names."
                f"{did_you_mean(str(label), self.class_names)}"
            )
        return self.index[label]


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
                files = library.tariterators.tar_file_expander([{"url": url, "stream": stream}])
                yield from library.tariterators.group_by_keys(files)
        except (OSError, ValueError, EOFError, tarfile.TarError) as error:
            raise UserError(f"The shard {url} cannot be read: {error}") from error


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
