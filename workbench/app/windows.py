"""GET /api/window/CLIP_ID: the sound of a window, kept or not, for a curator that the address was signed for."""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.errors import MediaError
from workbench import window_sound
from workbench.accounts import may
from workbench.app import serving
from workbench.app.requests import person, refusal
from workbench.errors import AccessError


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
        window_sound.check_window_url(
            serving.key(), here.rater, clip_id, query.get("exp", ""), query.get("sig", ""), time.time()
        )
    except AccessError as error:
        return refusal(403, str(error))
    try:
        sound = window_sound.window_wav(serving.study(), clip_id)
    except MediaError as error:
        return refusal(404, str(error))
    headers = {"Cache-Control": f"private, max-age={window_sound.HOUR_S}", "X-Content-Type-Options": "nosniff"}
    return Response(sound, media_type="audio/wav", headers=headers)


ROUTES = (Route("/api/window/{clip_id}", window, methods=["GET"]),)
