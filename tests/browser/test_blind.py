"""Nothing that reaches an annotator's browser betrays what a clip is, where it comes from, or what others said."""

import json
import re
import wave
from io import BytesIO

import pytest
from playwright.sync_api import Page, Response, WebSocket

from tests.browser.app_server import App
from tests.browser.label_page import ALL_AHEAD, Console
from tests.small_study import answer
from workbench.app.server import clip_audio

pytestmark = pytest.mark.browser


def test_no_response_betrays_anything_about_a_clip(app: App, page: Page) -> None:
    answer(app.study, {"zz-other-rater": 1.0})
    bodies: list[tuple[str, bytes]] = []
    audio: list[Response] = []

    def keep(response: Response) -> None:
        if response.status in (204, 304) or response.status // 100 == 3:
            return
        head = "\n".join(f"{name}: {value}" for name, value in response.all_headers().items())
        bodies.append((response.url, f"{response.url}\n{head}\n".encode() + response.body()))
        if "/api/audio/" in response.url:
            audio.append(response)

    def listen(socket: WebSocket) -> None:
        def frame(content: bytes | str) -> None:
            bodies.append((socket.url, content if isinstance(content, bytes) else content.encode()))

        socket.on("framereceived", frame)

    page.on("websocket", listen)
    finished: list[Response] = []
    page.on("response", lambda response: finished.append(response))
    console = Console(app, page, "Blind").open(app.add("Blind"))
    console.wait_ahead()
    console.answer("1234")
    console.press(["Backspace"])
    console.answer("5")
    console.wait_saved()
    for response in finished:
        keep(response)

    assert len(audio) >= ALL_AHEAD
    assert sum("/api/labels" in url for url, _ in bodies) >= 2
    assert any(url.startswith("ws") for url, _ in bodies)
    clip_ids = [file.stem for file in app.study.audio.glob("*.wav")]
    words = [*clip_ids, "zz-other-rater", app.study.name, str(app.study.root), r"ep[1-4]", "soap_five"]
    secret = re.compile(rb"\b(?:" + "|".join(words).encode() + rb")\b")
    for url, body in bodies:
        if "/static/" not in url and "/api/audio/" not in url:
            found = secret.search(body)
            assert found is None, f"{url} betrays {found!r}"
        assert not any(clip_id.encode() in body for clip_id in clip_ids), url


def test_sound_carries_sound_alone(app: App, page: Page) -> None:
    sounds: list[Response] = []
    page.on("response", lambda response: sounds.append(response) if "/api/audio/" in response.url else None)
    Console(app, page, "Plain").open(app.add("Plain")).wait_ahead()
    assert len(sounds) >= ALL_AHEAD
    headers = [response.all_headers() for response in sounds]
    for head in headers:
        assert not {"last-modified", "etag", "content-disposition", "content-location"} & head.keys()
        assert head["cache-control"].startswith("private, max-age=")
    assert len({json.dumps({**head, "date": ""}, sort_keys=True) for head in headers}) == 1, (
        "no header tells clips apart"
    )
    frames = 3 * clip_audio.LISTENING_HZ
    for response in sounds:
        body = response.body()
        with wave.open(BytesIO(body)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getnframes()) == (1, 2, frames)
        assert len(body) == 44 + 2 * frames, "a bare header and samples, no tag"
