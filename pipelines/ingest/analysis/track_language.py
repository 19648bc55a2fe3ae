"""Track language: choose an audio track of a recording by language, then by the default of the container."""

from collections.abc import Sequence

from pipelines.media.audio import AudioTrack

#: Three-letter codes that containers still write (ISO 639-2/B), and their current form (639-2/T).
_BIBLIOGRAPHIC = {
    "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces", "dut": "nld", "fre": "fra",
    "geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl", "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas",
    "rum": "ron", "slo": "slk", "tib": "bod", "wel": "cym",
}  # fmt: skip
#: Languages that containers mostly list under their macrolanguage.
_FAMILIES = {"cmn": "zho", "yue": "zho", "nan": "zho", "wuu": "zho", "nob": "nor", "nno": "nor", "arb": "ara"}


def choose_track(tracks: Sequence[AudioTrack], language: str) -> int:
    """Number of the track to analyse, from 0.

    The track in `language` (BCP-47) if there is one, else the default, else the first; commentary and audio description
    only if there is nothing else.
    """

    def worth(number: int) -> tuple[bool, int, bool, int]:
        track = tracks[number]
        return (not track.is_secondary, _likeness(track.language, language), track.is_default, -number)

    return max(range(len(tracks)), key=worth, default=0) if len(tracks) > 1 else 0


def tracks_to_text(tracks: Sequence[AudioTrack]) -> str:
    """What `choose_track` needs to know, as one line: "eng+default;spa;eng+aside"."""
    return ";".join(
        track.language.replace(";", "").replace("+", "")
        + ("+default" if track.is_default else "")
        + ("+aside" if track.is_secondary else "")
        for track in tracks
    )


def tracks_from_text(text: str) -> tuple[AudioTrack, ...]:
    """Inverse of `tracks_to_text`; empty for an empty text."""
    if not text:
        return ()
    parts = [track.split("+") for track in text.split(";")]
    return tuple(AudioTrack(part[0], "default" in part[1:], "aside" in part[1:]) for part in parts)


def _likeness(track: str, wanted: str) -> int:
    if not track or not wanted:
        return 0
    ours, theirs = _code(wanted), _code(track)
    if ours == theirs:
        return 2
    return int(_FAMILIES.get(ours, ours) == _FAMILIES.get(theirs, theirs))


def _code(language: str) -> str:
    """The first part of a tag as three letters where that is known."""
    from yt_dlp.utils import ISO639Utils

    first = language.lower().replace("_", "-").split("-")[0]
    if len(first) == 2:
        first = ISO639Utils.short2long(first) or first
    return _BIBLIOGRAPHIC.get(first, first)
