"""What the clipper's page is told of sources, as plain JSON: see workbench.app.clipper_api for the routes."""

from collections.abc import Sequence
from typing import Any

from pipelines.ingest.film.video import video_of
from pipelines.ingest.picture import COLUMNS, FLOOR_DB, ROWS, TOP_DB, rows_hz
from pipelines.ingest.sound import Sound
from pipelines.ingest.sources import called
from pipelines.study import Study
from pipelines.units import Seconds
from workbench import mining
from workbench.curated import Curated
from workbench.intake import reason_words
from workbench.picks import Desk
from workbench.recordings import Mined, mineable


def listed(study: Study, desk: Desk) -> list[dict[str, Any]]:
    """Every source: state of its sound, how many picks and proposals, how far it was listened to."""
    stands, seen, windows = desk.stands(), mining.known(study), mining.all_candidates(study)
    return [_listed(study, stands, seen, windows.get(name, ()), name, mined) for name, mined in mineable(study).items()]


def opened(mined: Mined, now: mining.SoundStanding, length: int) -> dict[str, Any]:
    """A source while its sound is made, and the first part of what is said of it after that."""
    return {
        "source": mined.source_id,
        "title": _title(mined),
        "rate_hz": mined.rate_hz,
        "n_samples": mined.n_samples,
        "clip_samples": length,
        "state": now.state,
        "share": now.share,
        "eta_s": now.eta_s,
        "sentence": now.sentence,
    }


def _listed(
    study: Study, stands: Curated, seen: mining.Known, windows: Sequence[mining.Proposal], name: str, mined: Mined | str
) -> dict[str, Any]:
    counts = {"cut": len(stands.picks.get(name, {})), "mined_to": stands.mined_to.get(name, 0)}
    if isinstance(mined, str):
        nothing = {"rate_hz": None, "n_samples": None, "proposed": 0}
        return {"source": name, "title": name, "state": "away", "sentence": mined, **nothing, **counts}
    now = mining.sound_standing(study, mined, seen)
    clips = mining.shown_clips(study, stands, name, mined.rate_hz)
    skipped = stands.skipped.get(name, frozenset())
    left = sum(one.start_sample not in skipped for one in mining.proposals(windows, clips))
    facts = {"title": _title(mined), "rate_hz": mined.rate_hz, "n_samples": mined.n_samples}
    return {"source": name, "state": now.state, "sentence": now.sentence, "proposed": left, **facts, **counts}


def heard(study: Study, desk: Desk, mined: Mined, found: Sound) -> dict[str, Any]:
    """The picture's geometry and what was heard: speech, onsets, repeats, proposals."""
    view = found.picture.view
    stands = desk.stands()
    clips = mining.shown_clips(study, stands, mined.source_id, mined.rate_hz)
    skipped = stands.skipped.get(mined.source_id, frozenset())
    codes: dict[str, str] = {}
    proposed = mining.proposals(mining.candidates(study, mined.source_id), clips)
    for one in proposed:
        for code in one.codes:
            codes.setdefault(code, reason_words(code, study.settings))
    film = video_of(study, mined.source_id, mining.recording_of(mining.known(study), mined))
    return {
        "version": found.facts.version,
        "view": {
            "columns": COLUMNS,
            "rows": ROWS,
            "finest": view.finest,
            "levels": view.levels,
            "rows_hz": [round(hz, 1) for hz in rows_hz(mined.rate_hz)],
            "floor_db": FLOOR_DB,
            "top_db": TOP_DB,
        },
        "video": f"/api/clipper/video/{mined.source_id}" if film is not None else None,
        "video_offset_s": _first_s(mined),
        "speech": mining.speech(study, mined),
        "onsets": mining.onsets(study, mined.source_id),
        "repeats": mining.repeated(study, mined),
        "proposals": [
            {
                "start": one.start_sample,
                "n": one.n_samples,
                "score": one.score,
                "status": one.status,
                "reasons": [codes[code] for code in one.codes],
                "codes": one.codes,
                "skipped": one.start_sample in skipped,
            }
            for one in proposed
        ],
    }


def standing(study: Study, desk: Desk, mined: Mined) -> dict[str, Any]:
    """Clips of one source with what was said of them, how far it is mined, and the balance of the whole study."""
    stands = desk.stands()
    taken = desk.taken(mined.source_id)
    shown = []
    for clip in mining.shown_clips(study, stands, mined.source_id, mined.rate_hz):
        speaker = stands.speakers.get(clip.clip_id)
        shown.append(
            {
                "clip": clip.clip_id,
                "start": clip.stretch.start_sample,
                "n": clip.stretch.n_samples,
                "arm": clip.arm,
                "emotion": stands.nominations.get(clip.clip_id),
                "speaker": speaker.speaker if speaker else "",
                "gender": speaker.gender if speaker else "",
                "state": "waiting" if clip.is_waiting else "cut",
                "labelled": taken.get(clip.clip_id) == "labelled",
            }
        )
    return {
        "clips": shown,
        "mined_to": stands.mined_to.get(mined.source_id, 0),
        "skipped": sorted(stands.skipped.get(mined.source_id, ())),
        "counts": mining.nominated(study, stands),
        "speakers": [{"speaker": one.speaker, "gender": one.gender} for one in stands.speakers_lately],
    }


def _first_s(mined: Mined) -> Seconds:
    """Where the sound begins on the clock that the film runs by, in its own file or in one beside the sound.

    A browser's `currentTime` is that clock too, also where a film begins later than 0 (Chromium; MP4, WebM, Matroska).
    """
    return float(mined.source.measured.get("first_pts_s") or 0.0)


def _title(mined: Mined) -> str:
    return called(mined.source_id, mined.source.uri, mined.source.measured.get("title", ""))
