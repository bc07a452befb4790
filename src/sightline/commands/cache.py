"""`sightline cache`: the cached images and tables, listed or removed."""

from typing import Literal

from sightline.config.command import Command
from sightline.config.options import Options, positional


class CacheOptions(Options):
    """Options of `sightline cache`."""

    action: Literal["clear"] | None = positional("remove entries instead of listing them")
    key: tuple[str, ...] = positional(
        "key of an entry to remove, or its first digits; by default all are removed", default=()
    )


def run(options: CacheOptions) -> int:
    """List the entries, or remove some or all of them.

    Raises:
        UserError: there is no entry with such a key.
    """
    from sightline.data.cache.listing import clear_cache, print_cache

    if options.action == "clear":
        clear_cache(options.key)
    else:
        print_cache()
    return 0


COMMAND = Command(
    help="list the cached decoded images, or remove them",
    section="machine",
    about="Lists what the cache holds (SIGHTLINE_CACHE, else the user's cache), by data set.",
    examples={"sightline cache": "", "sightline cache clear 3fa9": "one entry"},
    options=CacheOptions,
    run=run,
)
