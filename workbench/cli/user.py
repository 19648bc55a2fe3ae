"""People who label, curate and research."""

from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show
from workbench.people.access_control import Role

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People who label, curate and research.")

AddressOption = Annotated[str, typer.Option(help="How people reach the app; if left out, where it is served now.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="As it should appear to the curator.")],
    role: Annotated[Role, typer.Option(help="What they may do; each role may do what those before it may.")] = (
        "annotator"
    ),
    language: Annotated[str, typer.Option(help="Of the pages: en or zh-Hant.")] = "",
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a person known to the study.

    Example: workbench user add "Mei Lin" --role annotator
    """
    from pipelines.study import open_study
    from workbench.people import invitations
    from workbench.store import open_store

    with open_store(open_study(study)) as store:
        rater = invitations.add(store, name, role, language=language)
    document = {"rater": rater.rater, "role": rater.role}
    show(
        document,
        as_json=as_json,
        people=lambda: say(f"Added {rater.name} ({rater.role}). Next: workbench user invite {rater.name!r}"),
    )


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="Somebody who was added.")],
    address: AddressOption = "",
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link that signs this person in. Whoever has the link is that person for the next 14 days.

    Example: workbench user invite "Mei Lin" --address https://labels.example.org
    """
    import time
    from urllib.parse import quote

    from pipelines.study import open_study
    from workbench.app.server_process import served_at
    from workbench.people import access_control, invitations
    from workbench.store import open_store

    opened = open_study(study)
    with open_store(opened) as store:
        rater = invitations.known(store, name)
    token = invitations.invitation(access_control.secret(opened), rater.rater, time.time())
    link = f"{(address or served_at(opened)).rstrip('/')}/sign-in?invitation={quote(token)}"
    show({"rater": rater.rater, "link": link}, as_json=as_json, people=lambda: say(link))


@app.command("list")
def list_people(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Who is known, with role and number of answers.

    Example: workbench user list
    """
    from pipelines.study import open_study
    from workbench.people import invitations
    from workbench.store import open_store

    with open_store(open_study(study)) as store:
        rows = [
            {
                "rater": rater.rater,
                "role": rater.role,
                "language": rater.language,
                "answers": store.progress(rater.rater).answered,
            }
            for rater in invitations.listed(store)
        ]

    def tell() -> None:
        if not rows:
            say("Nobody yet. Next: workbench user add NAME")
        for row in rows:
            say(f"{row['rater']}  {row['role']}  {row['answers']} answers")

    show({"people": rows}, as_json=as_json, people=tell)
