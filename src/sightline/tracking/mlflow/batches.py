"""Batches of records: as many neighbours as MLflow takes in one request."""

from collections.abc import Iterator

from sightline.runs.journal.records import EntriesRecord, Record

# The most entries that MLflow takes in one request, of each kind; of all kinds together as many
# as of metrics.
MAX_ENTRIES = {"metrics": 1000, "params": 100, "tags": 100}
MAX_BYTES = 500_000  # of a request; MLflow takes twice that


def merge(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Neighbours that MLflow takes in one request, with the offset after the last of them.

    Args:
        records: each with the offset after it, in bytes.
    """
    group: list[Record] = []
    sizes = dict.fromkeys(MAX_ENTRIES, 0)
    begin = end = 0
    for record, offset in records:
        if group and not (
            isinstance(record, EntriesRecord)
            and isinstance(group[-1], EntriesRecord)
            and sizes[record.op] + len(record.entries) <= MAX_ENTRIES[record.op]
            and sum(sizes.values()) + len(record.entries) <= MAX_ENTRIES["metrics"]
            and offset - begin <= MAX_BYTES
        ):
            yield group, end
            group, sizes, begin = [], dict.fromkeys(MAX_ENTRIES, 0), end
        group.append(record)
        if isinstance(record, EntriesRecord):
            sizes[record.op] += len(record.entries)
        end = offset
    if group:
        yield group, end


def halves(records: list[Record]) -> list[list[Record]]:
    """Two parts of what was refused; none where it has no parts."""
    if len(records) > 1:
        middle = len(records) // 2
        return [records[:middle], records[middle:]]
    record = records[0]
    if not isinstance(record, EntriesRecord) or len(record.entries) < 2:
        return []
    entries = list(record.entries.items())
    middle = len(entries) // 2
    return [[record.part(dict(entries[:middle]))], [record.part(dict(entries[middle:]))]]
