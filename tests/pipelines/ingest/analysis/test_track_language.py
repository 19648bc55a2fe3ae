"""pipelines.ingest.analysis.track_language: the track that a person would have chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.analysis.track_language import choose_track, tracks_from_text, tracks_to_text
from pipelines.media.audio import AudioTrack

ENGLISH, SPANISH = AudioTrack("eng", is_default=True), AudioTrack("spa")
COMMENTARY = AudioTrack("spa", is_secondary=True)


@pytest.mark.parametrize(
    ("tracks", "language", "number"),
    [
        ((ENGLISH, SPANISH), "", 0),
        ((SPANISH, ENGLISH), "", 1),
        ((ENGLISH, SPANISH), "es", 1),
        ((ENGLISH, SPANISH), "es-MX", 1),
        ((ENGLISH, COMMENTARY, SPANISH), "es", 2),
        ((ENGLISH, COMMENTARY), "es", 0),  # a commentary is not the drama
        ((COMMENTARY,), "es", 0),
        ((ENGLISH, SPANISH), "fr", 0),
        ((AudioTrack(), AudioTrack()), "fr", 0),
        ((AudioTrack("und"), AudioTrack("chi")), "zh-Hant-TW", 1),
        ((AudioTrack("zho"), AudioTrack("yue")), "yue", 1),
        ((AudioTrack("eng"), AudioTrack("chi")), "cmn", 1),
        ((AudioTrack("en-GB"), AudioTrack("de")), "deu", 1),
        ((AudioTrack("eng"), AudioTrack("fre")), "fr_FR", 1),
        ((), "fr", 0),
    ],
)
def test_language_first_then_the_default_and_no_commentary(
    tracks: tuple[AudioTrack, ...], language: str, number: int
) -> None:
    assert choose_track(tracks, language) == number


words = st.text(st.characters(codec="ascii", exclude_characters=";+"), max_size=8)


@given(st.lists(st.builds(AudioTrack, words, st.booleans(), st.booleans()), min_size=1, max_size=5), words)
def test_what_is_kept_of_tracks_chooses_the_same(tracks: list[AudioTrack], language: str) -> None:
    kept = tracks_from_text(tracks_to_text(tracks))
    assert choose_track(kept, language) == choose_track(tracks, language)
    assert kept == tuple(tracks) or tracks == [AudioTrack()]
