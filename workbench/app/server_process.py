"""One server process: Streamlit's pages and our routes under uvicorn, on a free port, until it is told to stop."""

import os
import socket
import sys
import threading
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError, PipelineError
from pipelines.study import ROOT_VARIABLE, Study
from workbench.app.routes.request_checks import is_loopback
from workbench.app.server.served_study import STUDY_VARIABLE
from workbench.app.server.streamlit_options import streamlit_options
from workbench.curation.picks import Desk
from workbench.people import access_control, invitations
from workbench.store import open_store

#: How long the link that `serve` prints signs somebody in.
LINK_S = 12 * 3600
_PORTS_TRIED = 20
HERE = "http://127.0.0.1:8501"


def run(study: Study, *, host: str, port: int, open_browser: bool, sign_in: str | None) -> None:
    """Serve `study` until SIGINT or SIGTERM. Raises ConfigError when no port can be had."""
    door = f"door={quote(access_control.door(access_control.secret(study), time.time()))}" if is_loopback(host) else ""
    link = f"/sign-in?{door}" if door else "/"
    with open_store(study) as store:  # brings the store up to date, or says in one sentence why it cannot be opened
        if sign_in is not None:
            rater = store.rater(sign_in) or invitations.add(store, sign_in, "researcher")
            token = invitations.invitation(access_control.secret(study), rater.rater, time.time(), LINK_S)
            link = f"/sign-in?invitation={quote(token)}" + (f"&{door}" if door else "")
        with suppress(PipelineError):  # the clipper says it again, in words
            Desk(study, store).write_tables()
    listening = _bind(host, port)
    port = listening.getsockname()[1]
    os.environ[ROOT_VARIABLE] = str(study.root)
    os.environ[STUDY_VARIABLE] = study.name
    address = f"http://{_shown(host)}:{port}"
    _say(f"Study '{study.name}' is served at {address}{link}")
    _say("Ctrl-C ends it.")
    _set_up_streamlit({"server.port": port, "server.address": host})
    write_text(_served_file(study), f"{address}\n")
    try:
        _serve(listening, address + link if open_browser else None)
    finally:
        _served_file(study).unlink(missing_ok=True)
    _say("Stopped.")


def served_at(study: Study) -> str:
    """Where the study is served now, or was by a server that was killed; else where `serve` would serve it."""
    try:
        return _served_file(study).read_text(encoding="utf-8").strip() or HERE
    except FileNotFoundError:
        return HERE


def _served_file(study: Study) -> Path:
    return study.private / "served"


def _set_up_streamlit(changes: dict[str, Any]) -> None:
    from streamlit.web.bootstrap import load_config_options

    load_config_options(streamlit_options(changes))


def _serve(listening: socket.socket, opened: str | None) -> None:
    import uvicorn

    from workbench.app.main import app

    config = uvicorn.Config(
        app, access_log=False, log_level="warning", timeout_graceful_shutdown=3, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    if opened is not None:
        threading.Thread(target=_open_when_ready, args=(server, opened), daemon=True).start()
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after it has shut down in good order
        server.run(sockets=[listening])


def _open_when_ready(server: "object", address: str) -> None:
    while not getattr(server, "started", False):
        if getattr(server, "should_exit", False):
            return
        time.sleep(0.05)
    webbrowser.open(address)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in range(_PORTS_TRIED if port else 1):
        listening = socket.socket(family)
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port + attempt))
            listening.listen(2048)
        except OSError as error:
            listening.close()
            problem = error
        else:
            listening.set_inheritable(True)
            return listening
    raise ConfigError(f"cannot listen on {host} port {port}: {problem.strerror}; choose another --port or --host")


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
