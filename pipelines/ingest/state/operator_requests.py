"""Operator requests for single sources: pause one, or retry one whatever its failure.

One file per source in the private half of a study, apart from the queue. A request can be made during a run, which
reads it before it starts each recording.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, cast

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError
from pipelines.schema import validate_name
from pipelines.study import Study
from pipelines.units import SourceId

#: `resume` removes either of the others.
OperatorRequest = Literal["pause", "resume", "retry"]
ActiveRequest = Literal["pause", "retry"]


def requests_folder(study: Study) -> Path:
    """Where the requests are kept: one file per source, named after it."""
    return study.private / "requests"


def read_requests(study: Study) -> Mapping[SourceId, ActiveRequest]:
    """The active request of each source. Raises ConfigError for a file of other content."""
    folder = requests_folder(study)
    if not folder.is_dir():
        return {}
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    found = {file.name: wanted for file in files if (wanted := _read(file)) is not None}
    for name, wanted in found.items():
        if wanted not in ("pause", "retry"):
            raise ConfigError(f"{folder / name}: says neither 'pause' nor 'retry'; delete it")
    return cast(Mapping[SourceId, ActiveRequest], found)


def request_action(study: Study, source_id: SourceId, wanted: OperatorRequest) -> None:
    """Request something for one source, in place of any earlier request. Raises ConfigError for an invalid name."""
    file = requests_folder(study) / validate_name("source", source_id)
    if wanted == "resume":
        file.unlink(missing_ok=True)
    else:
        write_text(file, wanted)


def clear_retry_requests(study: Study, source_ids: Iterable[SourceId]) -> None:
    """Remove the retry requests of sources that were retried. A pause stays."""
    for source_id in source_ids:
        file = requests_folder(study) / source_id
        if _read(file) == "retry":
            file.unlink(missing_ok=True)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:  # removed in this moment
        return None
