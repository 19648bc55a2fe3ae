"""What every route asks of a request: who sends it, from which page, and whether this is one's own machine."""

import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipelines.errors import PipelineError
from pipelines.toml_config import StrictModel
from workbench.app.page.session import Person, person_of
from workbench.app.server import served_study
from workbench.people import access_control
from workbench.people.access_control import Role, may

Body = TypeVar("Body", bound=StrictModel)
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

#: No page of ours sends more at once.
MOST_BYTES = 1_000_000


def is_loopback(address: str) -> bool:
    """Whether a server bound to `address`, or a URL with this host, stays on this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local(request: Request) -> bool:
    """Whether this comes from one's own machine: bound to loopback, asked for by a loopback name, no proxy between."""
    from streamlit import config

    bound = config.get_option("server.address") or ""
    proxied = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return is_loopback(bound) and is_loopback(request.url.hostname or "") and not proxied


def has_door(request: Request) -> bool:
    """Whether someone on this machine came through the link that `serve` printed, so that a name is enough.

    Being on loopback alone is not: a proxy may stand in front unseen, and others may share the machine.
    """
    given = request.query_params.get("door") or request.cookies.get(door_cookie(), "")
    return is_local(request) and access_control.opens(served_study.key(), given, time.time())


def door_cookie() -> str:
    """The cookie that remembers the door."""
    return f"{access_control.cookie_name(served_study.key())}_door"


def set_door(response: Response, request: Request) -> None:
    """Remember the door that this request came through."""
    if given := request.query_params.get("door"):
        response.set_cookie(
            door_cookie(), given, max_age=access_control.DOOR_S, path="/sign-in", httponly=True, samesite="lax"
        )


async def body_of(request: Request, most: int = MOST_BYTES) -> bytes | None:
    """The body, or None when it is longer than `most` bytes; no more than that is ever held."""
    content = bytearray()
    async for block in request.stream():
        content += block
        if len(content) > most:
            return None
    return bytes(content)


def is_own_page(request: Request) -> bool:
    """Whether a POST comes from a page of this server. What no browser sends carries no one's cookie, and may pass."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def person(request: Request) -> Person | None:
    """Who the request's cookie says is here."""
    return person_of(request.cookies)


def set_session(response: Response, request: Request, rater: str, language: str, same: Person | None = None) -> None:
    """Sign the browser in as `rater`; with `same` it stays that sign-in, in another language."""
    key = served_study.key()
    content = {
        "rater": rater,
        "language": language,
        "sign_in": same.sign_in if same else access_control.new_sign_in(),
        "owner": same.is_owner if same else has_door(request),
    }
    response.set_cookie(
        access_control.cookie_name(key),
        access_control.seal(key, "session", content, time.time() + access_control.SESSION_S),
        max_age=access_control.SESSION_S,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
    )


def private_json(content: Any, status: int = 200) -> JSONResponse:
    """JSON that no cache may keep."""
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})


def refusal(status: int, reason: str) -> JSONResponse:
    """A refusal with one sentence."""
    return private_json({"error": reason}, status)


def posted(
    model: type[Body],
    answer: Callable[[Person, Body], Response],
    troubled: Callable[[PipelineError], Response],
    needed: Role = "annotator",
) -> Endpoint:
    """The route that checks who asks and what they sent, then calls `answer` off the event loop.

    `troubled` words what to say where the study cannot do it; `needed` is the least role that may ask.
    """

    async def route(request: Request) -> Response:
        if not is_own_page(request):
            return refusal(403, "only a page of this server may ask")
        here = await run_in_threadpool(person, request)
        if here is None:
            return refusal(401, "sign in first")
        if not may(here.role, needed):
            return refusal(403, f"this is for a {needed} of the study")
        content = await body_of(request)
        if content is None:
            return refusal(413, "that is more at once than this server takes: send less")

        def work() -> Response:
            try:
                body = model.model_validate_json(content)
            except ValidationError as error:
                problem = error.errors()[0]
                return refusal(422, f"'{'.'.join(map(str, problem['loc']))}': {problem['msg']}")
            try:
                return answer(here, body)
            except PipelineError as error:
                logging.getLogger(__name__).exception("a page's question could not be answered")
                return troubled(error)

        return await run_in_threadpool(work)

    return route


def sent_events(kind: type[Body], given: Sequence[Mapping[str, Any]]) -> tuple[list[Body], list[dict[str, str]]]:
    """Events as a page sends them: those that are well formed, and for each other one its id and what is wrong."""
    sent: list[Body] = []
    refused: list[dict[str, str]] = []
    for one in given:
        try:
            sent.append(kind.model_validate(one))
        except ValidationError as error:
            problem = error.errors()[0]
            reason = f"'{'.'.join(map(str, problem['loc']))}': {problem['msg']}"
            refused.append({"id": str(one.get("id", ""))[:64], "reason": reason})
    return sent, refused
