"""What a person wants done with single sources: leave one alone for now, or try one again whatever its failure was.

Kept in the private half of a study, apart from the queue, one file for each: a wish can be made beside a run,
which looks again before it begins with each recording.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, cast

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError
from pipelines.schema import validate_name
from pipelines.study import Study
from pipelines.units import SourceId

#: `go` takes back either of the others.
Asked = Literal["pause", "go", "retry"]
Wish = Literal["pause", "retry"]


def wishes_folder(study: Study) -> Path:
    """Where the wishes stand: one file per source, named after it."""
    return study.private / "wishes"


def read_wishes(study: Study) -> Mapping[SourceId, Wish]:
    """What is wished of which source. Raises ConfigError for a file that this did not write."""
    folder = wishes_folder(study)
    if not folder.is_dir():
        return {}
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    found = {file.name: wanted for file in files if (wanted := _read(file)) is not None}
    for name, wanted in found.items():
        if wanted not in ("pause", "retry"):
            raise ConfigError(f"{folder / name}: says neither 'pause' nor 'retry'; delete it")
    return cast(Mapping[SourceId, Wish], found)


def wish(study: Study, source_id: SourceId, wanted: Asked) -> None:
    """Wish something of one source; what was wished of it before no longer holds. Raises ConfigError for no name."""
    file = wishes_folder(study) / validate_name("source", source_id)
    if wanted == "go":
        file.unlink(missing_ok=True)
    else:
        write_text(file, wanted)


def granted(study: Study, source_ids: Iterable[SourceId]) -> None:
    """Forget that these were to be tried again: they were. One that is paused stays so."""
    for source_id in source_ids:
        file = wishes_folder(study) / source_id
        if _read(file) == "retry":
            file.unlink(missing_ok=True)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:  # taken back at this very moment
        return None
