"""Which of a site's formats are taken, in yt-dlp's own words for a choice."""

import re

#: The m4a and the Opus that YouTube has had for years, so that a rebuild finds them again; elsewhere the best sound.
_SOUND = ("bestaudio[format_id^=140][ext=m4a]", "bestaudio[format_id^=251]", "bestaudio")
#: A site's whole film only where it offers no sound alone.
_FILM = ("best[height<=480]", "best")

SOUND = "/".join((*_SOUND, *_FILM))

#: What the context pass is shown: small, and never put together with the sound.
PICTURE = "bestvideo[height<=360][ext=mp4]/bestvideo[height<=360]/best[height<=360]"


def sound_formats(format_id: str = "", language: str = "") -> str:
    """The sound taken before (`format_id`) where it is still offered, else the best in `language` (BCP-47), else the
    best."""
    choices = []
    if re.fullmatch(r"[\w.-]+", format_id, re.ASCII):
        choices += [f"bestaudio[format_id={format_id}]", f"best[format_id={format_id}]"]
    if tongue := re.match(r"[A-Za-z]{2,3}(?![A-Za-z])", language):
        choices += [f"{choice}[language^={tongue[0].lower()}]" for choice in _SOUND]
    return "/".join((*choices, SOUND))
