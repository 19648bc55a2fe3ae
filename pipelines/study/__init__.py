"""One study: its settings, and where its files are on disk."""

from pipelines.study.layout import (
    DEMO,
    ROOT_VARIABLE,
    Study,
    create_study,
    open_study,
    private_settings,
    project_root,
    study_names,
)
from pipelines.study.settings import (
    ClipSettings,
    FetchSettings,
    LabelSettings,
    PlacementSettings,
    PrivateSettings,
    ScreenThresholds,
    SelectionSettings,
    StudySettings,
)

__all__ = [
    "DEMO",
    "ROOT_VARIABLE",
    "ClipSettings",
    "FetchSettings",
    "LabelSettings",
    "PlacementSettings",
    "PrivateSettings",
    "ScreenThresholds",
    "SelectionSettings",
    "Study",
    "StudySettings",
    "create_study",
    "open_study",
    "private_settings",
    "project_root",
    "study_names",
]
