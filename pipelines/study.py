"""A study on disk: where everything lies, and its settings. Both packages find files through here and nowhere else."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError, UnknownName
from pipelines.schema import checked_name
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.toml_config import Strict, load

ROOT_VARIABLE = "WORKBENCH_ROOT"
DEMO = "demo"


class ClipSettings(Strict):
    """Length and form of a clip. A rate of None keeps the source's own."""

    length_s: Annotated[float, Field(gt=0.1, le=60)] = 3.0
    format: Literal["wav", "flac"] = "wav"


class PlaceSettings(Strict):
    """Where clips may stand: see pipelines.ingest.selection.placement."""

    lead_s: Annotated[float, Field(ge=0, le=1)] = 0.1
    speech_on: Annotated[float, Field(gt=0, lt=1)] = 0.5
    speech_off: Annotated[float, Field(gt=0, lt=1)] = 0.35
    min_speech_s: Annotated[float, Field(gt=0, le=60)] = 0.25
    min_silence_s: Annotated[float, Field(gt=0, le=60)] = 0.1


#: Wider than any score is, and no infinity: a study that wants none leaves the key out.
Bound = Annotated[float, Field(ge=-1e9, le=1e9)] | None


class Bounds(Strict):
    """What a screen keeps: min <= score <= max; None is open.

    What lies outside, but not below `review_min` nor above `review_max`, is for a person to look at. How the four may
    stand to each other: pipelines.ingest.selection.screens.check_bounds.
    """

    min: Bound = None
    max: Bound = None
    review_min: Bound = None
    review_max: Bound = None


class SelectSettings(Strict):
    """Which windows are kept whatever the finer screens say, so that one can see what those throw away, and how many
    clips one source, and one speaker in the whole study, may give; None: any number."""

    random_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    most_per_source: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    most_per_speaker: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None


class LabelSettings(Strict):
    """How many raters answer each clip."""

    raters_per_clip: Annotated[int, Field(ge=1, le=50)] = 3


class FetchSettings(Strict):
    """What is too much to fetch, and how politely hosts are asked: see pipelines.ingest.fetch.fetch_policy.

    The bounds keep out only what nothing can reckon with. A host rests for a day at most, whoever asks for more.
    """

    largest_gb: Annotated[float, Field(gt=0, le=1e6)] = 8.0
    longest_h: Annotated[float, Field(gt=0, le=8784)] = 4.0
    patience_h: Annotated[float, Field(gt=0, le=8784)] = 6.0
    pause_s: Annotated[float, Field(ge=0, le=86_400)] = 3.0
    rest_min: Annotated[float, Field(ge=0, le=44_640)] = 60.0
    reserve_gb: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    video: bool = False


class StudySettings(Strict):
    """study.toml."""

    name: str
    scheme: str = "five"
    language: str = ""
    rights_basis: str = ""
    allow_private_hosts: bool | tuple[str, ...] = False
    fetch: FetchSettings = FetchSettings()
    clip: ClipSettings = ClipSettings()
    place: PlaceSettings = PlaceSettings()
    screen: Mapping[str, Bounds] = {}
    select: SelectSettings = SelectSettings()
    labels: LabelSettings = LabelSettings()


class PrivateSettings(Strict):
    """private.toml: what one machine knows and nobody else should.

    `source_folders`: whole paths of the folders out of which pages may take recordings for everybody who curates.
    """

    store_url: str = ""
    storage_url: str = ""
    source_folders: tuple[str, ...] = ()


TEMPLATE = """\
# What this study is. Every key: docs/curator.md. A misspelt key is an error that names the nearest one.
name = {name}
scheme = {scheme}
language = ""            # BCP-47, such as "zh-Hant-TW"
rights_basis = {rights}  # on what ground the recordings may be used; needed before anything is ingested

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
        """Small films for the context pass, where the study keeps them."""
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
        """Where the audio of a kept clip lies on this machine."""
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
    """The study `name`; with none given, the only one there is beside the demo. Raises ConfigError, UnknownName."""
    root = root or project_root()
    names = study_names(root)
    if name is None:
        own = [each for each in names if each != DEMO] or list(names)
        if len(own) == 1:
            return Study(root, own[0])
        if not own:
            raise ConfigError("there is no study here yet: make one with 'workbench init NAME'")
        raise ConfigError(f"there are {len(own)} studies here: choose one with --study ({', '.join(own)})")
    checked_name("study", name)
    if name not in names:
        raise UnknownName("study", name, names, hint="(make it with 'workbench init')")
    return Study(root, name)


def create_study(name: str, *, rights_basis: str = "", scheme: str = "five", root: Path | None = None) -> Study:
    """Make both halves of a new study. Raises ConfigError when the name will not do or is taken."""
    root = root or project_root()
    study = Study(root, checked_name("study", name))
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
