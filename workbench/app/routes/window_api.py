"""GET /api/window/CLIP_ID: the sound of a window, kept or not, for a curator that the address was signed for."""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.errors import MediaError
from workbench.app.routes.request_checks import person, refusal
from workbench.app.server import served_study
from workbench.curation import window_audio
from workbench.errors import AccessError
from workbench.people.access_control import may


async def window(request: Request) -> Response:
    """The sound and nothing else."""
    return await run_in_threadpool(_window, request)


def _window(request: Request) -> Response:
    here = person(request)
    if here is None:
        return refusal(401, "sign in first")
    if not may(here.role, "curator"):
        return refusal(403, "only a curator hears what was not kept")
    clip_id, query = request.path_params["clip_id"], request.query_params
    try:
        window_audio.check_window_url(
            served_study.key(), here.rater, clip_id, query.get("exp", ""), query.get("sig", ""), time.time()
        )
    except AccessError as error:
        return refusal(403, str(error))
    try:
        sound = window_audio.window_wav(served_study.study(), clip_id)
    except MediaError as error:
        return refusal(404, str(error))
    headers = {"Cache-Control": f"private, max-age={window_audio.HOUR_S}", "X-Content-Type-Options": "nosniff"}
    return Response(sound, media_type="audio/wav", headers=headers)


ROUTES = (Route("/api/window/{clip_id}", window, methods=["GET"]),)
