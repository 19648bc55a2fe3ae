"""Layout of a study on disk: where each file and folder is. Both packages find files through here and nowhere else."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError, UnknownName
from pipelines.schema import validate_name
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.study.settings import PrivateSettings, StudySettings
from pipelines.toml_config import load

ROOT_VARIABLE = "WORKBENCH_ROOT"
DEMO = "demo"

TEMPLATE = """\
# Settings of this study. All keys: docs/curator.md. A misspelt key is an error that suggests the nearest one.
name = {name}
scheme = {scheme}
language = ""            # BCP-47, such as "zh-Hant-TW"
rights_basis = {rights}  # why the recordings may be used; required before ingest

[clip]
length_s = 3.0

[labels]
raters_per_clip = 3
"""


@dataclass(frozen=True)
class Study:
    """One study under `root`: the shareable half in data_manifests/NAME, the private half in data/NAME."""

    root: Path
    name: str

    @property
    def manifests(self) -> Path:
        """Committed, shareable: no audio, no absolute path, no secret."""
        return self.root / "data_manifests" / self.name

    @property
    def private(self) -> Path:
        """Git-ignored: media, clips, labels, runs."""
        return self.root / "data" / self.name

    @property
    def settings_file(self) -> Path:
        return self.manifests / "study.toml"

    @property
    def sources_csv(self) -> Path:
        return self.manifests / "sources.csv"

    @property
    def clips_csv(self) -> Path:
        return self.manifests / "clips.csv"

    @property
    def takedowns_csv(self) -> Path:
        return self.manifests / "takedowns.csv"

    @property
    def releases(self) -> Path:
        return self.manifests / "releases"

    @property
    def media(self) -> Path:
        return self.private / "media"

    @property
    def video(self) -> Path:
        """Small videos for the context pass, where the study fetches them."""
        return self.private / "video"

    @property
    def audio(self) -> Path:
        return self.private / "audio"

    @property
    def candidates(self) -> Path:
        return self.private / "candidates.parquet"

    @property
    def ingest_db(self) -> Path:
        return self.private / "ingest.db"

    @property
    def labels_db(self) -> Path:
        return self.private / "labels.db"

    @property
    def runs(self) -> Path:
        return self.private / "runs"

    @property
    def jobs(self) -> Path:
        return self.private / "jobs"

    @property
    def cache(self) -> Path:
        return self.private / "cache"

    @cached_property
    def settings(self) -> StudySettings:
        """study.toml, read once. Raises ConfigError."""
        settings = load(StudySettings, self.settings_file)
        if settings.name != self.name:
            raise ConfigError(
                f"{self.settings_file.name}: 'name' says '{settings.name}' but its folder is '{self.name}'"
            )
        return settings

    @cached_property
    def scheme(self) -> LabelScheme:
        """The study's label scheme, its own copy first."""
        return load_scheme(self.settings.scheme, self.manifests)

    def clip_path(self, clip_id: str) -> Path:
        """The audio file of a kept clip on this machine."""
        return self.audio / f"{clip_id}.{self.settings.clip.format}"


def private_settings(study: Study) -> PrivateSettings:
    """The study's private.toml; all defaults when there is none. Raises ConfigError."""
    path = study.private / "private.toml"
    return load(PrivateSettings, path) if path.is_file() else PrivateSettings()


def project_root() -> Path:
    """The folder that holds data_manifests/ and data/: WORKBENCH_ROOT, else the nearest one upward, else here."""
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "data_manifests").is_dir()), here)


def study_names(root: Path) -> tuple[str, ...]:
    """Names of the studies under `root`."""
    return tuple(sorted(file.parent.name for file in (root / "data_manifests").glob("*/study.toml")))


def open_study(name: str | None = None, root: Path | None = None) -> Study:
    """The study `name`; without a name, the only study besides the demo. Raises ConfigError, UnknownName."""
    root = root or project_root()
    names = study_names(root)
    if name is None:
        own = [each for each in names if each != DEMO] or list(names)
        if len(own) == 1:
            return Study(root, own[0])
        if not own:
            raise ConfigError("there is no study here yet: create one with 'workbench init NAME'")
        raise ConfigError(f"there are {len(own)} studies here: choose one with --study ({', '.join(own)})")
    validate_name("study", name)
    if name not in names:
        raise UnknownName("study", name, names, hint="(create it with 'workbench init')")
    return Study(root, name)


def create_study(name: str, *, rights_basis: str = "", scheme: str = "five", root: Path | None = None) -> Study:
    """Create both halves of a new study. Raises ConfigError when the name is not valid or is taken."""
    root = root or project_root()
    study = Study(root, validate_name("study", name))
    load_scheme(scheme)
    if study.settings_file.exists():
        raise ConfigError(f"there is already a study '{name}': open it with --study {name}, or choose another name")
    study.private.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(root / "data" / ".gitignore", "# Private: audio, labels, runs. Nothing here is ever committed.\n*\n")
    write_text(
        study.settings_file,
        TEMPLATE.format(
            name=json.dumps(name), scheme=json.dumps(scheme), rights=json.dumps(rights_basis, ensure_ascii=False)
        ),
    )
    return study
