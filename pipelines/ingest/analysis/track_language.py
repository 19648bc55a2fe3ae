"""Which audio track of a recording is meant: by language, then by the container's own default."""

from collections.abc import Sequence

from pipelines.media.audio import AudioTrack

#: Three-letter codes that containers still write (ISO 639-2/B), in today's form (639-2/T).
_BIBLIOGRAPHIC = {
    "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces", "dut": "nld", "fre": "fra",
    "geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl", "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas",
    "rum": "ron", "slo": "slk", "tib": "bod", "wel": "cym",
}  # fmt: skip
#: Languages that containers mostly know under the name of their family.
_FAMILIES = {"cmn": "zho", "yue": "zho", "nan": "zho", "wuu": "zho", "nob": "nor", "nno": "nor", "arb": "ara"}


def choose_track(tracks: Sequence[AudioTrack], language: str) -> int:
    """The number of the track to listen to, from 0.

    In `language` (BCP-47) where there is one, else the default, else the first; commentaries and descriptions for the
    blind only where there is nothing else.
    """

    def worth(number: int) -> tuple[bool, int, bool, int]:
        track = tracks[number]
        return (not track.is_aside, _likeness(track.language, language), track.is_default, -number)

    return max(range(len(tracks)), key=worth, default=0) if len(tracks) > 1 else 0


def tracks_to_text(tracks: Sequence[AudioTrack]) -> str:
    """What `choose_track` needs to know, as one line: "eng+default;spa;eng+aside"."""
    return ";".join(
        track.language.replace(";", "").replace("+", "")
        + ("+default" if track.is_default else "")
        + ("+aside" if track.is_aside else "")
        for track in tracks
    )


def tracks_of_text(text: str) -> tuple[AudioTrack, ...]:
    """The way back; nothing for an empty text."""
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
