"""Settings of a study: what study.toml and private.toml may say, and the defaults."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from pipelines.toml_config import StrictModel


class ClipSettings(StrictModel):
    """Length and file format of a clip."""

    length_s: Annotated[float, Field(gt=0.1, le=60)] = 3.0
    format: Literal["wav", "flac"] = "wav"


class PlacementSettings(StrictModel):
    """Where clips may start and end: see pipelines.ingest.selection.placement."""

    lead_s: Annotated[float, Field(ge=0, le=1)] = 0.1
    speech_on: Annotated[float, Field(gt=0, lt=1)] = 0.5
    speech_off: Annotated[float, Field(gt=0, lt=1)] = 0.35
    min_speech_s: Annotated[float, Field(gt=0, le=60)] = 0.25
    min_silence_s: Annotated[float, Field(gt=0, le=60)] = 0.1


#: Wider than any score, but finite: a study that wants no threshold omits the key.
Threshold = Annotated[float, Field(ge=-1e9, le=1e9)] | None


class ScreenThresholds(StrictModel):
    """The scores that a screen keeps: min <= score <= max; None is open.

    Windows outside, but not below `review_min` nor above `review_max`, are for review. How the four may relate to each
    other: pipelines.ingest.selection.screens.check_thresholds.
    """

    min: Threshold = None
    max: Threshold = None
    review_min: Threshold = None
    review_max: Threshold = None


class SelectionSettings(StrictModel):
    """The share of windows kept whatever the finer screens say, as a sample of what those reject, and the most clips
    from one source, and from one speaker in the whole study; None: no limit."""

    random_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_per_source: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    max_per_speaker: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None


class LabelSettings(StrictModel):
    """How many raters answer each clip."""

    raters_per_clip: Annotated[int, Field(ge=1, le=50)] = 3


class FetchSettings(StrictModel):
    """Limits of a download, and pauses between requests to a host: see pipelines.ingest.fetch.fetch_policy.

    The limits reject only absurd numbers. The pause of a host is a day at most, even where it asks for more.
    """

    max_size_gb: Annotated[float, Field(gt=0, le=1e6)] = 8.0
    max_duration_h: Annotated[float, Field(gt=0, le=8784)] = 4.0
    timeout_h: Annotated[float, Field(gt=0, le=8784)] = 6.0
    pause_s: Annotated[float, Field(ge=0, le=86_400)] = 3.0
    cooldown_min: Annotated[float, Field(ge=0, le=44_640)] = 60.0
    reserve_gb: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    video: bool = False


class StudySettings(StrictModel):
    """The content of study.toml."""

    name: str
    scheme: str = "five"
    language: str = ""
    rights_basis: str = ""
    allow_private_hosts: bool | tuple[str, ...] = False
    fetch: FetchSettings = FetchSettings()
    clip: ClipSettings = ClipSettings()
    place: PlacementSettings = PlacementSettings()
    screen: Mapping[str, ScreenThresholds] = {}
    select: SelectionSettings = SelectionSettings()
    labels: LabelSettings = LabelSettings()


class PrivateSettings(StrictModel):
    """The content of private.toml: settings of one machine that are not shared.

    `source_folders`: absolute paths of folders from which every curator may add recordings in the app.
    """

    store_url: str = ""
    storage_url: str = ""
    source_folders: tuple[str, ...] = ()
