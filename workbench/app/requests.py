"""What every route asks of a request: who sends it, from which page, and whether this is one's own machine."""

import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workbench import accounts
from workbench.app import serving
from workbench.app.session import Person, person_of


def is_loopback(address: str) -> bool:
    """Whether a server bound to `address`, or a URL with this host, stays on this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local(request: Request) -> bool:
    """Whether anyone here may sign in by name: bound to loopback, asked for by a loopback name, no proxy in between."""
    from streamlit import config

    bound = config.get_option("server.address") or ""
    proxied = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return is_loopback(bound) and is_loopback(request.url.hostname or "") and not proxied


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


def set_session(response: Response, request: Request, rater: str, language: str) -> None:
    """Sign the browser in as `rater`."""
    key = serving.key()
    content = {"rater": rater, "language": language}
    response.set_cookie(
        accounts.cookie_name(key),
        accounts.seal(key, "session", content, time.time() + accounts.SESSION_S),
        max_age=accounts.SESSION_S,
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
