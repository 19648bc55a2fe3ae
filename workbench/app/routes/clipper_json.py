"""What the clipper's page is told of sources, as plain JSON: see workbench.app.routes.clipper_api for the routes."""

from collections.abc import Sequence
from typing import Any

from pipelines.ingest.preview.decoded_audio import DecodedAudio
from pipelines.ingest.preview.spectrogram_tiles import COLUMNS, FLOOR_DB, ROWS, TOP_DB, row_frequencies_hz
from pipelines.ingest.sources import called
from pipelines.ingest.video.context_video import find_video
from pipelines.study import Study
from pipelines.units import Seconds
from workbench.curation import clipper_source
from workbench.curation.current_picks import Curated
from workbench.curation.picks import Desk
from workbench.curation.recordings import Mined, mineable
from workbench.status.ingest_status import reason_words


def listed(study: Study, desk: Desk) -> list[dict[str, Any]]:
    """Every source: state of its sound, how many picks and proposals, how far it was listened to."""
    stands, seen, windows = desk.stands(), clipper_source.known(study), clipper_source.all_candidates(study)
    return [_listed(study, stands, seen, windows.get(name, ()), name, mined) for name, mined in mineable(study).items()]


def opened(mined: Mined, now: clipper_source.SoundStanding, length: int) -> dict[str, Any]:
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
    study: Study,
    stands: Curated,
    seen: clipper_source.Known,
    windows: Sequence[clipper_source.Proposal],
    name: str,
    mined: Mined | str,
) -> dict[str, Any]:
    counts = {"cut": len(stands.picks.get(name, {})), "mined_to": stands.mined_to.get(name, 0)}
    if isinstance(mined, str):
        nothing = {"rate_hz": None, "n_samples": None, "proposed": 0}
        return {"source": name, "title": name, "state": "away", "sentence": mined, **nothing, **counts}
    now = clipper_source.sound_standing(study, mined, seen)
    clips = clipper_source.shown_clips(study, stands, name, mined.rate_hz)
    skipped = stands.skipped.get(name, frozenset())
    left = sum(one.start_sample not in skipped for one in clipper_source.proposals(windows, clips))
    facts = {"title": _title(mined), "rate_hz": mined.rate_hz, "n_samples": mined.n_samples}
    return {"source": name, "state": now.state, "sentence": now.sentence, "proposed": left, **facts, **counts}


def heard(study: Study, desk: Desk, mined: Mined, found: DecodedAudio) -> dict[str, Any]:
    """The picture's geometry and what was heard: speech, onsets, repeats, proposals."""
    view = found.tiles.geometry
    stands = desk.stands()
    clips = clipper_source.shown_clips(study, stands, mined.source_id, mined.rate_hz)
    skipped = stands.skipped.get(mined.source_id, frozenset())
    codes: dict[str, str] = {}
    proposed = clipper_source.proposals(clipper_source.candidates(study, mined.source_id), clips)
    for one in proposed:
        for code in one.codes:
            codes.setdefault(code, reason_words(code, study.settings))
    film = find_video(study, mined.source_id, clipper_source.recording_of(clipper_source.known(study), mined))
    return {
        "version": found.facts.version,
        "view": {
            "columns": COLUMNS,
            "rows": ROWS,
            "finest": view.finest,
            "levels": view.levels,
            "rows_hz": [round(hz, 1) for hz in row_frequencies_hz(mined.rate_hz)],
            "floor_db": FLOOR_DB,
            "top_db": TOP_DB,
        },
        "video": f"/api/clipper/video/{mined.source_id}" if film is not None else None,
        "video_offset_s": _first_s(mined),
        "speech": clipper_source.speech(study, mined),
        "onsets": clipper_source.onsets(study, mined.source_id),
        "repeats": clipper_source.repeated(study, mined),
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
    for clip in clipper_source.shown_clips(study, stands, mined.source_id, mined.rate_hz):
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
        "counts": clipper_source.nominated(study, stands),
        "speakers": [{"speaker": one.speaker, "gender": one.gender} for one in stands.speakers_lately],
    }


def _first_s(mined: Mined) -> Seconds:
    """Where the sound begins on the clock that the film runs by, in its own file or in one beside the sound.

    A browser's `currentTime` is that clock too, also where a film begins later than 0 (Chromium; MP4, WebM, Matroska).
    """
    return float(mined.source.measured.get("first_pts_s") or 0.0)


def _title(mined: Mined) -> str:
    return called(mined.source_id, mined.source.uri, mined.source.measured.get("title", ""))
