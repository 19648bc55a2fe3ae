"""What the console asks of the server: the next clips, their sound, and a place for answers.

Who asks is told by the signed cookie alone. No answer holds a clip id, a source, a title, a place in an episode, or
anything that another rater or a model said.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.errors import MediaError, PipelineError
from pipelines.study import Study
from pipelines.toml_config import StrictModel
from workbench.app.page.session import Person
from workbench.app.routes.request_checks import Body, Endpoint, person, posted, private_json, refusal, sent_events
from workbench.app.server import clip_audio, served_study
from workbench.errors import AccessError
from workbench.labels import queue
from workbench.people import access_control
from workbench.store import Event, EventKind

MOST_AT_ONCE = 40
MOST_EVENTS = 200

Token = Annotated[str, Field(min_length=1, max_length=64)]


class NextBody(StrictModel):
    """POST /api/next. `have`: tokens that the page holds, or whose answers are on their way."""

    n: Annotated[int, Field(ge=0, le=MOST_AT_ONCE)]
    have: Annotated[tuple[Token, ...], Field(max_length=MOST_EVENTS)] = ()


class ClipBody(StrictModel):
    """POST /api/clip: a clip that this person was given before."""

    token: Token


class LabelsBody(StrictModel):
    """POST /api/labels. `person`: the mark of whom the page was made for, so that a change of person is noticed."""

    person: str
    events: Annotated[tuple[dict[str, Any], ...], Field(max_length=MOST_EVENTS)]


class SentEvent(StrictModel):
    """One key press as the console sends it. `age_ms`: how long ago it was."""

    id: Annotated[str, Field(min_length=8, max_length=64)]
    token: Token
    kind: EventKind
    label: str | None
    flags: Annotated[tuple[str, ...], Field(max_length=20)]
    note: Annotated[str, Field(max_length=500)] = ""
    heard_ms: Annotated[int, Field(ge=0, le=86_400_000)]
    age_ms: Annotated[float, Field(ge=0, le=90 * 86_400_000)]


def next_clips(here: Person, body: NextBody) -> Response:
    """Up to n clips for this person to hear, and how far they are."""
    asked = _items(served_study.study())
    store, withheld = served_study.store(), served_study.desk().withheld
    skip = set(body.have)
    given = queue.lease(store, asked, here.rater, body.n, skip=skip, withheld=withheld) if body.n else []
    outlook = queue.outlook(store, asked, here.rater, withheld=withheld)
    return private_json(
        {
            "clips": [_offer(here, assignment.token) for assignment in given],
            "progress": {"done": outlook.answered, "total": outlook.answered + outlook.left},
        }
    )


def clip(here: Person, body: ClipBody) -> Response:
    """A fresh address for a clip of theirs, to go back to it or to replace an address that is over."""
    assignment = served_study.store().assignment(body.token)
    if assignment is None or assignment.rater != here.rater:
        return refusal(404, "no clip was given to you under this token")
    return private_json(_offer(here, body.token))


def labels(here: Person, body: LabelsBody) -> Response:
    """Store answers; acknowledge, by their ids, those that are safely in the store."""
    if body.person != access_control.person_mark(served_study.key(), here.rater):
        return refusal(409, "this page was opened by somebody else: reload it")
    now = datetime.now(UTC)
    each, refused = sent_events(SentEvent, body.events)
    events = [
        Event(
            client_id=sent.id,
            rater=here.rater,
            kind=sent.kind,
            token=sent.token,
            label=sent.label,
            flags=sent.flags,
            note=sent.note,
            heard_ms=sent.heard_ms,
            time=now - timedelta(milliseconds=sent.age_ms),
        )
        for sent in each
    ]
    recorded = served_study.store().record(events)
    refused += [{"id": one.client_id, "reason": one.reason} for one in recorded.refused]
    return private_json({"acked": list(recorded.acked), "refused": refused})


def audio(request: Request) -> Response:
    """GET /api/audio/TOKEN?exp&sig: the sound and nothing else, for the person that the address was signed for."""
    here = person(request)
    if here is None:
        return refusal(401, "sign in first")
    token = request.path_params["token"]
    query = request.query_params
    try:
        clip_audio.check_clip_url(
            served_study.key(), here.rater, token, query.get("exp", ""), query.get("sig", ""), now=time.time()
        )
    except clip_audio.Expired as error:
        return refusal(410, str(error))
    except AccessError as error:
        return refusal(403, str(error))
    assignment = served_study.store().assignment(token)
    if assignment is None or assignment.rater != here.rater:
        return refusal(404, "no clip was given to you under this token")
    try:
        sound = clip_audio.listening_wav(served_study.study().clip_path(assignment.clip_id))
    except MediaError:
        return refusal(404, "the sound of this clip is not here")
    headers = {"Cache-Control": f"private, max-age={clip_audio.CLIP_URL_S}", "X-Content-Type-Options": "nosniff"}
    return Response(sound, media_type="audio/wav", headers=headers)


def _offer(here: Person, token: str) -> dict[str, str]:
    return {"token": token, "url": clip_audio.clip_url(served_study.key(), here.rater, token, time.time())}


def _items(study: Study) -> queue.Items:
    def stamp(path: Path) -> tuple[int, int]:
        status = path.stat() if path.is_file() else None
        return (status.st_mtime_ns, status.st_size) if status else (0, 0)

    return _items_at(study, stamp(study.clips_csv), stamp(study.settings_file))


@lru_cache(maxsize=4)
def _items_at(study: Study, _clips: tuple[int, int], _settings: tuple[int, int]) -> queue.Items:
    return queue.items(study)


def _posted(model: type[Body], answer: Callable[[Person, Body], Response]) -> Endpoint:
    return posted(model, answer, _troubled)


def _troubled(_error: PipelineError) -> Response:
    return refusal(503, "the study cannot be read just now: tell your curator; your answers are kept here")


ROUTES = (
    Route("/api/next", _posted(NextBody, next_clips), methods=["POST"]),
    Route("/api/clip", _posted(ClipBody, clip), methods=["POST"]),
    Route("/api/labels", _posted(LabelsBody, labels), methods=["POST"]),
    Route("/api/audio/{token}", audio, methods=["GET"]),
)
