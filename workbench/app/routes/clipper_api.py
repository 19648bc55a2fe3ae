"""What the clipper asks of the server: a source's sound, its picture, what was heard in it, and a place for picks.

For curators alone: everything here tells what a rater must not know. All positions are samples of the linear decode.
"""

import logging
import wave
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pipelines.errors import PipelineError
from pipelines.ingest.preview.decoded_audio import DecodedAudio
from pipelines.ingest.video.context_video import find_video
from pipelines.study import Study
from pipelines.toml_config import StrictModel
from workbench.app.page.session import Person
from workbench.app.routes import clipper_json
from workbench.app.routes.request_checks import Body, Endpoint, person, posted, private_json, refusal, sent_events
from workbench.app.server import served_study
from workbench.app.server.background_update import Settler
from workbench.curation import clipper_source, picks
from workbench.curation.picks import Desk
from workbench.curation.recordings import Mined, clip_samples, mineable
from workbench.people import access_control
from workbench.people.access_control import may
from workbench.store.curation import CurationEvent, CurationKind

MOST_EVENTS = 200
LONGEST_S, MOST_SAMPLES = 30, 2_000_000
#: Sound and pictures are named by a hash of all samples: what a browser has kept is never wrong.
KEPT = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}

Name = Annotated[str, Field(min_length=1, max_length=64)]
Place = Annotated[int, Field(ge=0, le=2**53)]


class NoBody(StrictModel):
    """POST /api/clipper/sources."""


class OpenBody(StrictModel):
    """POST /api/clipper/open. `again`: begin once more what failed."""

    source: Name
    again: bool = False


class SourceBody(StrictModel):
    """POST /api/clipper/standing."""

    source: Name


class EventsBody(StrictModel):
    """POST /api/clipper/events. `person`: the mark of whom the page was made for."""

    person: str
    events: Annotated[tuple[dict[str, Any], ...], Field(max_length=MOST_EVENTS)]


class SentEvent(StrictModel):
    """One act as the page sends it. `age_ms`: how long ago it was; `of`: the id of what an undo takes back."""

    id: Annotated[str, Field(min_length=8, max_length=64)]
    kind: CurationKind
    source: Annotated[str, Field(max_length=64)] = ""
    start: Place | None = None
    n: Place | None = None
    emotion: Annotated[str, Field(max_length=64)] | None = None
    speaker: Annotated[str, Field(max_length=200)] = ""
    gender: Annotated[str, Field(max_length=20)] = ""
    of: Annotated[str, Field(max_length=64)] | None = None
    age_ms: Annotated[float, Field(ge=0, le=90 * 86_400_000)] = 0


def sources(_here: Person, _body: NoBody) -> Response:
    """Every source with its state and how far it is mined."""
    study = served_study.study()
    settler()
    return private_json({"sources": clipper_json.listed(study, served_study.desk())})


def open_source(_here: Person, body: OpenBody) -> Response:
    """All that the page shows of one source; while its sound is not there, how far the making is, begun if needed."""
    study = served_study.study()
    mined = mineable(study).get(body.source)
    if mined is None:
        return refusal(404, f"there is no source '{body.source}' in this study")
    if isinstance(mined, str):
        return private_json({"source": body.source, "title": body.source, "state": "away", "sentence": mined})
    now = clipper_source.begin_sound(study, mined, again=body.again)
    facts = clipper_json.opened(mined, now, clip_samples(study, mined.rate_hz))
    sound = clipper_source.sound_of(study, mined)
    if sound is None:
        return private_json(facts)
    desk = served_study.desk()
    heard = clipper_json.heard(study, desk, mined, sound)
    return private_json(facts | heard | _stands(study, mined))


def standing(_here: Person, body: SourceBody) -> Response:
    """What stands in one source now: clips, nominations, how far it is mined; and the balance of the whole study."""
    study = served_study.study()
    mined = mineable(study).get(body.source)
    if not isinstance(mined, Mined):
        return refusal(404, mined or f"there is no source '{body.source}' in this study")
    return private_json(_stands(study, mined))


def events(here: Person, body: EventsBody) -> Response:
    """Store what was done; acknowledge, by their ids, what is safely in the store."""
    if body.person != access_control.person_mark(served_study.key(), here.rater):
        return refusal(409, "this page was opened by somebody else: reload it")
    study = served_study.study()
    now = datetime.now(UTC)
    each, refused = sent_events(SentEvent, body.events)
    asked = [
        CurationEvent(
            client_id=sent.id,
            rater=here.rater,
            kind=sent.kind,
            source_id=sent.source,
            start_sample=sent.start,
            n_samples=sent.n,
            label=sent.emotion,
            speaker=sent.speaker,
            gender=sent.gender,
            undoes=sent.of,
            time=now - timedelta(milliseconds=sent.age_ms),
        )
        for sent in each
    ]
    done = served_study.desk().record(asked)
    try:
        picks.follow(study, done)
    except (PipelineError, OSError):  # stored it is: a refusal now would have it sent again, and nothing follow from it
        logging.getLogger(__name__).exception("a picked clip could not be cut now; ingest will cut it")
    if any(event.kind not in ("skip", "mined") for event in done.new):
        settler().soon()
    refused += [{"id": one.client_id, "reason": one.reason} for one in done.refused]
    return private_json({"acked": list(done.acked), "refused": refused})


def sound(request: Request, _study: Study, _mined: Mined, found: DecodedAudio) -> Response:
    """GET /api/clipper/sound/SOURCE?v&start&n: exactly these samples, raw s16 little-endian, mono."""
    stretch = _stretch(request, found)
    if isinstance(stretch, Response):
        return stretch
    pcm = found.samples(*stretch).astype("<i2", copy=False).tobytes()
    return Response(pcm, media_type="application/octet-stream", headers=KEPT)


def wav(request: Request, _study: Study, _mined: Mined, found: DecodedAudio) -> Response:
    """GET /api/clipper/wav/SOURCE?v&start&n: the same with a header."""
    stretch = _stretch(request, found)
    if isinstance(stretch, Response):
        return stretch
    made = BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(found.facts.rate_hz)
        out.writeframes(found.samples(*stretch).astype("<i2", copy=False).tobytes())
    return Response(made.getvalue(), media_type="audio/wav", headers=KEPT)


def tile(request: Request, _study: Study, _mined: Mined, found: DecodedAudio) -> Response:
    """GET /api/clipper/tile/SOURCE/LEVEL/INDEX?v: COLUMNS * ROWS bytes by column, then a pair of int8 per column."""
    try:
        bands, peaks = found.tiles.tile(request.path_params["level"], request.path_params["index"])
    except ValueError as error:
        return refusal(404, str(error))
    return Response(
        np.ascontiguousarray(bands).tobytes() + peaks.tobytes(), media_type="application/octet-stream", headers=KEPT
    )


async def video(request: Request) -> Response:
    """GET /api/clipper/video/SOURCE: the film that was kept, by ranges."""

    def look() -> Response:
        found = _asked(request)
        if isinstance(found, Response):
            return found
        study, mined = found
        path = find_video(study, mined.source_id, clipper_source.recording_of(clipper_source.known(study), mined))
        if path is None:
            return refusal(404, f"no film of '{mined.source_id}' is kept here")
        return FileResponse(
            path, headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        )

    return await run_in_threadpool(look)


def _stands(study: Study, mined: Mined) -> dict[str, Any]:
    return {**clipper_json.standing(study, served_study.desk(), mined), "problem": settler().problem}


def _stretch(request: Request, found: DecodedAudio) -> tuple[int, int] | Response:
    start, count = (request.query_params.get(name, "") for name in ("start", "n"))
    most = min(LONGEST_S * found.facts.rate_hz, MOST_SAMPLES)
    if not all(text.isascii() and text.isdecimal() and len(text) <= 15 for text in (start, count)):
        return refusal(422, "expected whole numbers of samples for start and n")
    if not 0 < int(count) <= most or int(start) >= found.facts.n_samples:
        return refusal(422, f"expected 1 to {most} samples that begin before the sound ends")
    return int(start), int(count)


def _asked(request: Request) -> tuple[Study, Mined] | Response:
    """Who asks may, and the source is there; else what to answer."""
    here = person(request)
    if here is None:
        return refusal(401, "sign in first")
    if not may(here.role, "curator"):
        return refusal(403, "this is for a curator of the study")
    study, name = served_study.study(), request.path_params["source"]
    mined = mineable(study).get(name)
    if not isinstance(mined, Mined):
        return refusal(404, mined or f"there is no source '{name}' in this study")
    return study, mined


def _read(answer: Callable[[Request, Study, Mined, DecodedAudio], Response]) -> Endpoint:
    """The route of what a browser keeps: it names the version of the sound that it means."""

    def work(request: Request) -> Response:
        try:
            asked = _asked(request)
            if isinstance(asked, Response):
                return asked
            found = clipper_source.sound_of(*asked)
            if found is None or request.query_params.get("v") != found.facts.version:
                return refusal(409, "the sound is another now, or not made yet: open the source again")
            return answer(request, *asked, found)
        except PipelineError as error:
            return refusal(503, str(error))

    async def route(request: Request) -> Response:
        return await run_in_threadpool(work, request)

    return route


def _posted(model: type[Body], answer: Callable[[Person, Body], Response]) -> Endpoint:
    return posted(model, answer, lambda error: refusal(503, str(error)), needed="curator")


def settler(_study: Study | None = None) -> Settler:
    """What brings the tables up to date after picks, in this process."""
    return _settler_of(served_study.desk())


@cache
def _settler_of(desk: Desk) -> Settler:
    made = Settler(desk)
    made.soon()  # what an earlier server was stopped in the middle of
    return made


_AT = "/api/clipper"
ROUTES = (
    Route(f"{_AT}/sources", _posted(NoBody, sources), methods=["POST"]),
    Route(f"{_AT}/open", _posted(OpenBody, open_source), methods=["POST"]),
    Route(f"{_AT}/standing", _posted(SourceBody, standing), methods=["POST"]),
    Route(f"{_AT}/events", _posted(EventsBody, events), methods=["POST"]),
    Route(f"{_AT}/sound/{{source}}", _read(sound), methods=["GET"]),
    Route(f"{_AT}/wav/{{source}}", _read(wav), methods=["GET"]),
    Route(f"{_AT}/tile/{{source}}/{{level:int}}/{{index:int}}", _read(tile), methods=["GET"]),
    Route(f"{_AT}/video/{{source}}", video, methods=["GET"]),
)
