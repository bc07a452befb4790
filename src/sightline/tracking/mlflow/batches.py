"""Batches of consecutive records, each as large as MLflow takes in one request."""

from collections.abc import Iterator

from sightline.runs.journal.records import EntriesRecord, Record

# The most entries that MLflow takes in one request, of each kind; of all kinds together as many
# as of metrics.
MAX_ENTRIES = {"metrics": 1000, "params": 100, "tags": 100}
MAX_BYTES = 500_000  # of a request; MLflow takes twice that


def merge(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Batches of consecutive records, each with the offset after its last one.

    Args:
        records: each with the offset after it, in bytes.
    """
    batch: list[Record] = []
    sizes = dict.fromkeys(MAX_ENTRIES, 0)
    begin = end = 0
    for record, offset in records:
        if batch and not (
            isinstance(record, EntriesRecord)
            and isinstance(batch[-1], EntriesRecord)
            and sizes[record.op] + len(record.entries) <= MAX_ENTRIES[record.op]
            and sum(sizes.values()) + len(record.entries) <= MAX_ENTRIES["metrics"]
            and offset - begin <= MAX_BYTES
        ):
            yield batch, end
            batch, sizes, begin = [], dict.fromkeys(MAX_ENTRIES, 0), end
        batch.append(record)
        if isinstance(record, EntriesRecord):
            sizes[record.op] += len(record.entries)
        end = offset
    if batch:
        yield batch, end


def halves(records: list[Record]) -> list[list[Record]]:
    """The two halves of a refused batch; none of a single entry."""
    if len(records) > 1:
        middle = len(records) // 2
        return [records[:middle], records[middle:]]
    record = records[0]
    if not isinstance(record, EntriesRecord) or len(record.entries) < 2:
        return []
    entries = list(record.entries.items())
    middle = len(entries) // 2
    return [[record.part(dict(entries[:middle]))], [record.part(dict(entries[middle:]))]]
