"""pipelines.ingest.sources: what people call a recording."""

import pytest

from pipelines.ingest.sources import called


@pytest.mark.parametrize(
    ("source_id", "uri", "title", "said"),
    [
        ("episode_3", "media/episode 3.wav", "", "episode_3"),
        ("source-ab12cd", "media/夜之生人.wav", "", "夜之生人"),
        ("1_pilot-ab12cd", "media/第1集 pilot.wav", "", "第1集 pilot"),
        ("night_1", "media/夜之生人.wav", "", "night_1"),
        ("", "media/notes.mp4", "", "notes.mp4"),
        ("", "https://example.org/a.mp3", "", "https://example.org/a.mp3"),
        ("a", "https://example.org/夜.mp3", "", "a"),
        ("dqw4w9", "https://example.org/watch?v=1", "The Play, part one", "The Play, part one"),
    ],
)
def test_a_recording_is_called_by_the_name_that_says_most(source_id: str, uri: str, title: str, said: str) -> None:
    assert called(source_id, uri, title) == said
