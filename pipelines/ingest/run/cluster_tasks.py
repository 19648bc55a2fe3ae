"""Ingest on many machines: which tasks travel and how, and the cluster that does them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.execution.dask_cluster import Cluster
from pipelines.execution.remote_tasks import TaskSpec
from pipelines.execution.shared_storage import URL_VARIABLE, Storage, storage_url
from pipelines.ingest.reproduce.clip_cutting import CutTask, cut_clips
from pipelines.ingest.source_analysis import Analysed, Task, analyse
from pipelines.study import Study


def _is_its_clip(task: Task | CutTask, name: str) -> bool:
    """Whoever can write the storage still gives a recording no clips but its own."""
    return re.fullmatch(rf"{re.escape(task.source_id)}-\d{{9,}}\.(wav|flac)", name) is not None


TASK_SPECS = (
    TaskSpec(
        analyse,
        Analysed,
        output_folders=("clips",),
        output_files=("tracks",),
        scratch_folders=("scratch",),
        local_only=("state",),
        allows_file=_is_its_clip,
    ),
    TaskSpec(cut_clips, str, output_folders=("clips",), allows_file=_is_its_clip),
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
    with Cluster(scheduler, Storage(url), TASK_SPECS, checksum=checksum) as cluster:
        yield cluster
