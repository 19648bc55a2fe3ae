"""Signing in and out: the page, the invitation link, the cookie. On one's own machine a name is enough."""

import time
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import parse_qsl, quote

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.errors import PipelineError
from pipelines.toml_config import StrictModel
from workbench.app.routes.request_checks import (
    body_of,
    has_door,
    is_local,
    is_own_page,
    person,
    private_json,
    refusal,
    set_door,
    set_session,
)
from workbench.app.server import served_study
from workbench.app.translations import LANGUAGES, Catalogue, catalogue, nearest_language
from workbench.errors import AccessError
from workbench.people import access_control, invitations
from workbench.people.access_control import ROLES

#: Paths that answer without a sign-in: this page, the routes that check by themselves, and Streamlit's own files.
OPEN = ("/sign-in", "/sign-out", "/api/", "/_stcore/", "/static/", "/favicon", "/media/", "/component/")

#: The address holds an invitation: no cache may keep it and no other site may be told.
_SECRET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


class LanguageBody(StrictModel):
    """POST /api/language."""

    language: str


def page(request: Request) -> Response:
    """GET /sign-in: the page, or straight in with a good invitation."""
    invitation = request.query_params.get("invitation")
    problem = ""
    if invitation:
        try:
            rater = invitations.invited(served_study.key(), served_study.store(), invitation, time.time())
        except AccessError as error:
            problem = str(error)
        else:
            response = RedirectResponse(_after(request.query_params.get("next")), 303, headers=_SECRET)
            set_session(response, request, rater.rater, rater.language or _language(request))
            return response
    return _page(request, problem)


async def enter(request: Request) -> Response:
    """POST /sign-in, on one's own machine only: a new name, or one that is known."""
    content = await body_of(request)
    if content is None:
        return refusal(413, "that is more than a name")
    form = dict(parse_qsl(content.decode(errors="replace")))
    return await run_in_threadpool(_enter, request, form)


def _enter(request: Request, form: Mapping[str, str]) -> Response:
    if not is_own_page(request) or not has_door(request):
        return refusal(403, "here one signs in with an invitation")
    language = form.get("language", "")
    language = language if language in LANGUAGES else _language(request)
    try:
        if form.get("known"):
            rater = invitations.known(served_study.store(), form["known"])
        else:
            role = next((role for role in ROLES if role == form.get("role")), ROLES[0])
            rater = invitations.add(served_study.store(), form.get("name", ""), role, language=language, exist_ok=True)
    except PipelineError as error:
        return _page(request, str(error), status=422)
    response = RedirectResponse(_after(form.get("next")), 303)
    set_session(response, request, rater.rater, language)
    return response


def leave(request: Request) -> Response:
    """POST /sign-out: of every tab of this browser, at once."""
    if not is_own_page(request):
        return refusal(403, "only the page itself can sign you out")
    here = person(request)
    if here is not None:
        access_control.end_sign_in(served_study.study(), here.sign_in, time.time())
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(access_control.cookie_name(served_study.key()), path="/")
    return response


async def language(request: Request) -> Response:
    """POST /api/language; kept in the cookie."""
    here = await run_in_threadpool(person, request)
    if here is None or not is_own_page(request):
        return refusal(401, "sign in first")
    try:
        wanted = LanguageBody.model_validate_json(await body_of(request) or b"").language
    except ValidationError:
        return refusal(422, 'expected {"language": ...}')
    if wanted not in LANGUAGES:
        return refusal(422, f"'language' must be one of {', '.join(LANGUAGES)}")
    response = private_json({"language": wanted})
    set_session(response, request, here.rater, wanted, same=here)
    return response


ROUTES = (
    Route("/sign-in", page, methods=["GET"]),
    Route("/sign-in", enter, methods=["POST"]),
    Route("/sign-out", leave, methods=["POST"]),
    Route("/api/language", language, methods=["POST"]),
)


class SignedInPages:
    """Sends a browser that asks for a page without a good cookie to the sign-in page, and takes files of curators only.

    Streamlit takes a file from whoever has the address of an open page, signed in or not, and holds it in memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(OPEN):
            request = Request(scope)
            wants_page = "text/html" in request.headers.get("accept", "")
            if wants_page and await run_in_threadpool(person, request) is None:
                after = f"?next={quote(scope['path'])}" if scope["path"] != "/" else ""
                await RedirectResponse(f"/sign-in{after}", 303)(scope, receive, send)
                return
        if scope["type"] == "http" and scope["method"] == "PUT":
            here = await run_in_threadpool(person, Request(scope))
            if here is None or not access_control.may(here.role, "curator"):
                await refusal(403, "only a curator of the study gives files")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _after(wanted: str | None) -> str:
    safe = wanted and wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if wanted and safe else "/"


def _language(request: Request) -> str:
    asked = request.query_params.get("language")
    return asked if asked and asked in LANGUAGES else nearest_language(request.headers.get("accept-language", ""))


def _page(request: Request, problem: str, status: int = 200) -> HTMLResponse:
    here = person(request)
    texts = catalogue(here.language if here else _language(request))
    parts = [f'<p class="problem" role="alert">{escape(problem)}</p>'] if problem else []
    if here is not None:
        parts.append(_welcome_back(texts, here.name))
    elif has_door(request):
        parts.append(_form(texts, _after(request.query_params.get("next"))))
    elif is_local(request):
        parts.append(f"<p>{escape(texts('sign_in.door_needed'))}</p>")
    else:
        parts.append(f"<p>{escape(texts('sign_in.invitation_needed'))}</p>")
    template = Template(files("workbench.app.routes").joinpath("sign_in.html").read_text(encoding="utf-8"))
    body = template.substitute(
        language=texts.language,
        title=escape(texts("sign_in.title")),
        lead=escape(texts("sign_in.lead")),
        content="\n".join(parts),
    )
    response = HTMLResponse(body, status, headers=_SECRET)
    if has_door(request):
        set_door(response, request)
    return response


def _welcome_back(texts: Catalogue, name: str) -> str:
    return (
        f"<p>{escape(texts('sign_in.signed_in', name=name))}</p>"
        f'<a class="button first" href="/">{escape(texts("sign_in.go_on"))}</a>'
        f'<form method="post" action="/sign-out"><button>{escape(texts("sign_in.sign_out"))}</button></form>'
    )


def _form(texts: Catalogue, after: str) -> str:
    def choice(name: str, value: str, words: str, chosen: bool) -> str:
        checked = " checked" if chosen else ""
        return (
            f'<label class="choice"><input type="radio" name="{name}" value="{value}"{checked}>{escape(words)}</label>'
        )

    languages = "".join(choice("language", tag, name, tag == texts.language) for tag, name in LANGUAGES.items())
    roles = "".join(choice("role", role, texts(f"sign_in.role_{role}"), role == ROLES[0]) for role in ROLES)
    known = "".join(
        f'<button name="known" value="{escape(rater.rater)}" formnovalidate>{escape(rater.name)}</button>'
        for rater in invitations.listed(served_study.store())
    )
    again = f"<fieldset><legend>{escape(texts('sign_in.known'))}</legend><div class=people>{known}</div></fieldset>"
    hint = escape(texts("sign_in.name_hint"))
    return f"""<form method="post" action="/sign-in">
<input type="hidden" name="next" value="{escape(after)}">
<label><span class="name">{escape(texts("sign_in.name"))}</span>
<input type="text" name="name" required maxlength="80" autocomplete="name" autofocus placeholder="{hint}"></label>
<fieldset><legend>{escape(texts("sign_in.role"))}</legend><div class="roles">{roles}</div></fieldset>
<fieldset><legend>{escape(texts("sign_in.language"))}</legend><div class="choices">{languages}</div></fieldset>
<button class="first">{escape(texts("sign_in.start"))}</button>
{again if known else ""}
</form>"""
