"""Serving the app."""

from typing import Annotated

import typer

from workbench.cli.console import StudyOption


def serve(
    study: StudyOption = None,
    port: Annotated[int, typer.Option(help="Port; the next free one if it is taken.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Other than loopback, people need an invitation to sign in.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser on the app.")] = True,
    sign_in: Annotated[
        str | None, typer.Option(help="Open it signed in under this name; a new name may see every page.")
    ] = None,
) -> None:
    """Serve the pages and the labelling console until Ctrl-C.

    Example: workbench serve --study night
    """
    from pipelines.study import open_study
    from workbench.app.server_process import run

    run(open_study(study), host=host, port=port, open_browser=open_browser, sign_in=sign_in)
