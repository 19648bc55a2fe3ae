"""The whole loop on a study made on the spot."""

from typing import Annotated, Any

import typer

from workbench.cli.console import DONE, NOTHING_WORKED, leave, reporter, say, show, warn


def demo(
    check: Annotated[bool, typer.Option("--check", help="Without a browser; print one JSON object.")] = False,
    port: Annotated[int, typer.Option(help="Port of the app.")] = 8501,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser on the app.")] = True,
) -> None:
    """Make a small drama on the spot, run the main job on it, and open the app on the result.

    Example: workbench demo --check
    """
    from pipelines.study import project_root
    from workbench.demo import run_demo

    root = project_root()
    warn(f"Making the demo study in {root}; the first time takes about two minutes.")
    with reporter() as report:
        document = run_demo(root, report)
    show(document, as_json=check, people=lambda: _tell(document))
    if check or not document["ok"]:
        leave(DONE if document["ok"] else NOTHING_WORKED)
        return
    from workbench.cli.serve import serve
    from workbench.demo.run import ANNOTATOR

    serve(study="demo", port=port, open_browser=open_browser, sign_in=ANNOTATOR)


def _tell(document: dict[str, Any]) -> None:
    from pipelines.statistics.group_intervals import interval_text

    steps = document["steps"]
    if "ingest" in steps:
        say(f"Clips: {steps['ingest']['clips']} kept from {steps['ingest']['sources']} episodes.")
    if "agreement" in steps:
        alpha = steps["agreement"]["five"]["alpha"]
        say(f"Agreement of the simulated raters: alpha {alpha['value']:.2f} ({interval_text(alpha, 2)}).")
    for view, told in steps.get("train", {}).items():
        accuracy = told["accuracy"]
        say(f"Model, {view}: accuracy {accuracy['value']:.2f} ({interval_text(accuracy, 2)}).")
    if not document["ok"]:
        warn(f"The step '{document['failed']['step']}' failed: {document['failed']['error']}")
