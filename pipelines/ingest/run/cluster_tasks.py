"""Ingest on many machines: which tasks travel and how, and the cluster that does them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.execution.dask_cluster import Cluster
from pipelines.execution.shared_storage import URL_VARIABLE, Storage, storage_url
from pipelines.execution.shipping import Freight
from pipelines.ingest.reproduce.cut import CutTask, cut
from pipelines.ingest.source_analysis import Analysed, Task, analyse
from pipelines.study import Study


def _is_its_clip(task: Task | CutTask, name: str) -> bool:
    """Whoever can write the storage still gives a recording no clips but its own."""
    return re.fullmatch(rf"{re.escape(task.source_id)}-\d{{9,}}\.(wav|flac)", name) is not None


FREIGHT = (
    Freight(
        analyse,
        Analysed,
        folders=("clips",),
        files=("tracks",),
        scratch=("scratch",),
        local=("state",),
        names=_is_its_clip,
    ),
    Freight(cut, str, folders=("clips",), names=_is_its_clip),
)


@contextmanager
def machines(study: Study, scheduler: str, checksum: Callable[[Path], str]) -> Iterator[Cluster]:
    """The cluster of the scheduler at an address.

    Raises ConfigError before any work: no storage is named, or as Cluster does.
    """
    url = storage_url(study)
    if not url:
        raise ConfigError(
            f"--scheduler: many machines need a place to leave things for each other: set {URL_VARIABLE}, or "
            "storage_url in private.toml, to a folder that all of them see (file:///shared/folder) or to a bucket "
            "(s3://bucket/name)"
        )
    with Cluster(scheduler, Storage(url), FREIGHT, checksum=checksum) as cluster:
        yield cluster
