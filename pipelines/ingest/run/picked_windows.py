"""Windows that somebody picked by hand and that are no candidates: known before they are cut, scored once they are."""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.errors import DataError, MediaError
from pipelines.ingest.analysis.speech import speech_spans
from pipelines.ingest.report import Row
from pipelines.ingest.reproduce.clip_checks import read_pcm16
from pipelines.ingest.reproduce.clip_cutting import ClipSlice
from pipelines.ingest.selection.decision import ScoredWindow
from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.source_analysis import scores_at, tracks_file
from pipelines.ingest.state.queue import Item, Queue
from pipelines.ingest.video.shot_scores import with_shot_score
from pipelines.media.audio import pcm_sha256
from pipelines.study import Study
from pipelines.units import Seconds


def within(item: Item, picks: Sequence[Pick]) -> tuple[tuple[Pick, ...], list[Row]]:
    """The picks that lie within the recording, and a row for each other one."""
    length = int(item.facts["decoded_samples"])
    rows = [
        Row(
            item.source_id,
            "failed",
            item.source_id,
            "outside",
            f"picks.csv: source '{item.source_id}' ends at sample {length}; the pick of {pick.n_samples} "
            f"samples from {pick.start_sample} reaches over its end and is left out",
            failure="fix",
        )
        for pick in picks
        if pick.end_sample > length
    ]
    return tuple(pick for pick in picks if pick.end_sample <= length), rows


def put_picked(
    study: Study,
    queue: Queue,
    item: Item,
    windows: Sequence[ScoredWindow],
    picks: Sequence[Pick],
    cuts_s: Sequence[Seconds] | None,
) -> None:
    """Let picks that are no candidates be known before they are cut, and the files of former ones go before that.

    A pick may bear the id of a candidate that begins within the same millisecond: no file must outlive its row.
    """
    there = {(one.start_sample, one.n_samples) for one in windows}
    wanted = {(pick.start_sample, pick.n_samples) for pick in picks} - there
    had = {(one.start_sample, one.n_samples): one for one, _ in queue.picked(item.source_id)}
    for start, _ in had.keys() - wanted:
        study.clip_path(item.clip_id(start)).unlink(missing_ok=True)
    now = [had.get(place, ScoredWindow(*place, 0.0, dict.fromkeys(SCREENS))) for place in sorted(wanted)]
    now = [with_shot_score(one, item.rate_hz, cuts_s) for one in now]
    if now != list(had.values()):
        queue.put_picked(item.source_id, now)


def score_picked(
    study: Study, queue: Queue, item: Item, slices: Sequence[ClipSlice], cuts_s: Sequence[Seconds] | None
) -> None:
    """What can be said of picks that have just been cut: all where the tracks are here, else what samples tell."""
    from pipelines.ingest.analysis.analyzer import load

    new = {one.start_sample: one for one in slices if not one.pcm_sha256}
    if not new:
        return
    try:
        tracks = load(tracks_file(study, item.source_id))
    except DataError:
        tracks = None
    speech = speech_spans(tracks.speech, study.settings.place) if tracks is not None else ()
    found = []
    for window, _ in queue.picked(item.source_id):
        one = new.get(window.start_sample)
        if one is not None:
            try:
                pcm, rate_hz = read_pcm16(study.clip_path(one.clip_id))
            except MediaError:  # somebody has taken the pick back while its recording was read
                found.append(window)
                continue
            scores = scores_at(pcm, rate_hz, one.start_sample, speech, tracks)
            window = replace(window, pcm_sha256=pcm_sha256(pcm), scores=scores)
            window = with_shot_score(window, rate_hz, cuts_s)
        found.append(window)
    queue.put_picked(item.source_id, found)
