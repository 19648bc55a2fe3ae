"""`/` leads to the first page of the role, so that every page has an address of its own."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workbench.app.page_registry import first_for
from workbench.app.routes.request_checks import person


async def home(request: Request) -> Response:
    """GET /: Streamlit's own way there would catch the browser's back button."""
    here = await run_in_threadpool(person, request)
    target = f"/{first_for(here.role).url}" if here else "/sign-in"
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(target + query, 303, headers={"Cache-Control": "no-store"})


ROUTES = (Route("/", home, methods=["GET"]),)
