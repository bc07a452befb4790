"""Pages of a search for runs: thousands of them, in little memory."""

from collections.abc import Iterator
from dataclasses import replace

from mlflow import MlflowClient

from sightline.io.collection import without_collection
from sightline.tracking.mlflow.run_names import PAGE
from sightline.tracking.mlflow.stored_run import StoredRun, stored


def search_stored(
    client: MlflowClient, experiments: list[str], wanted: str = ""
) -> Iterator[StoredRun]:
    """The runs of all pages; a text that many of them hold takes its memory once.

    The garbage collector is off while a page is read: it would take longer than the search, as
    every parameter and metric is an object of the database's library.
    """
    texts: dict[str, str] = {}
    token = None
    while True:
        with without_collection():
            page = client.search_runs(experiments, wanted, max_results=PAGE, page_token=token)
        for run in page:
            yield _with_shared_texts(stored(client, run), texts)
        token = page.token
        if not token:
            return


def _with_shared_texts(run: StoredRun, texts: dict[str, str]) -> StoredRun:
    """A run whose keys and values are the first of their kind among many runs'.

    Args:
        run: of many.
        texts: those so far, each under itself; new ones are added.
    """

    def shared(values: dict[str, str]) -> dict[str, str]:
        return {texts.setdefault(k, k): texts.setdefault(v, v) for k, v in values.items()}

    metrics = {texts.setdefault(key, key): value for key, value in run.metrics.items()}
    return replace(run, params=shared(run.params), metrics=metrics, tags=shared(run.tags))
