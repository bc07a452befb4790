"""Counts in words that people read: `1 row`, `2,000 rows`."""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with what is counted, in singular or plural.

    Args:
        number: from 0 on.
        one: the words for 1, also with a verb: `row names`.
        many: the words for others; empty: the singular with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
