"""Records that travel together: as many as MLflow takes in one request."""

from collections.abc import Iterator

from sightline.runs.journal.file import Record

# How many MLflow takes in one request, of each kind; of all together no more than of metrics.
MERGED = {"metrics": 1000, "params": 100, "tags": 100}
MAX_BYTES = 500_000  # of a request; MLflow takes twice that


def merge(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Neighbours that MLflow takes in one request, with the offset after the last of them.

    Args:
        records: each with the offset after it, in bytes.
    """
    group: list[Record] = []
    sizes = dict.fromkeys(MERGED, 0)
    begin = end = 0
    for record, offset in records:
        operation = record["op"]
        if group and not (
            operation in MERGED
            and group[-1]["op"] in MERGED
            and sizes[operation] + len(record[operation]) <= MERGED[operation]
            and sum(sizes.values()) + len(record[operation]) <= MERGED["metrics"]
            and offset - begin <= MAX_BYTES
        ):
            yield group, end
            group, sizes, begin = [], dict.fromkeys(MERGED, 0), end
        group.append(record)
        if operation in MERGED:
            sizes[operation] += len(record[operation])
        end = offset
    if group:
        yield group, end


def halves(records: list[Record]) -> list[list[Record]]:
    """Two parts of what was refused as a whole; nothing where it has no parts."""
    if len(records) > 1:
        middle = len(records) // 2
        return [records[:middle], records[middle:]]
    record = records[0]
    operation = record["op"]
    entries = list(record[operation].items()) if operation in MERGED else []
    if len(entries) < 2:
        return []
    middle = len(entries) // 2
    return [[record | {operation: dict(part)}] for part in (entries[:middle], entries[middle:])]
