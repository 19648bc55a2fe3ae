"""A study with clips but no sound, for tests of what people say about clips."""

from pathlib import Path

from pipelines.manifest import write_clips
from pipelines.schema import Clip, clip_id
from pipelines.study import Study, create_study


def study_with_clips(root: Path, n_clips: int = 12, n_groups: int = 3, name: str = "night") -> Study:
    """A study whose manifest holds `n_clips` clips spread over `n_groups` episodes; no audio exists."""
    study = create_study(name, rights_basis="made up for a test", root=root)
    clips = []
    for number in range(n_clips):
        source = f"ep{number % n_groups + 1}"
        start = (number // n_groups) * 66150
        clips.append(Clip(clip_id(source, start, 22050), source, start, 66150, 22050, group_id=source))
    write_clips(study.clips_csv, clips)
    return study
