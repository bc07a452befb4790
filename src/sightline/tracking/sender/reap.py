"""The end of a run whose process is gone, recorded in its journal and uploaded."""

from sightline.errors import UserError
from sightline.runs.listing import RunStatus
from sightline.tracking.sender.sync import sync_folder


def reap(gone: RunStatus) -> int:
    """Record how a run ended, and upload that where its store can be reached.

    Returns:
        the exit status: not 0 where something stays pending.
    """
    assert gone.end is not None
    status, evidence = gone.end
    try:
        gone.folder.mark_ended(status, evidence)
    except UserError as error:  # another process resumed it
        print(f"{gone.folder}: {error}")
        return 0
    print(f"{gone.folder}: {status} ({evidence})")
    frozen = gone.folder.frozen
    assert frozen is not None
    return 0 if frozen.config.tracking.offline is True else sync_folder(gone.folder.path)
