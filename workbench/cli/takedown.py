"""Withdrawing a source."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show, warn

if TYPE_CHECKING:
    from pipelines.ingest.series.shared_audio import RelatedSource


def takedown(
    source: Annotated[str, typer.Argument(help="Id of the source, or its address or file name in sources.csv.")],
    reason: Annotated[str, typer.Option(help="Why, in one line; it is kept in takedowns.csv.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a source: its media, clips and features are removed for good, and it never comes back.

    Releases never change; 'workbench release verify' says which of their clips were withdrawn. A takedown that was
    interrupted is ended by the same command.

    Example: workbench takedown episode_3 --reason "the owner asked" --yes --study night
    """
    from pipelines.errors import ConfigError
    from pipelines.study import open_study
    from workbench.takedown.impact import outlook
    from workbench.takedown.takedown import take_down

    opened = open_study(study)
    if not yes:
        ahead = outlook(opened, source)
        many = "1 clip" if len(ahead.clips) == 1 else f"{len(ahead.clips)} clips"
        told = f"source '{ahead.source_id}' with {many} would be removed from study '{opened.name}'"
        close = ", ".join(one.source_id for one in ahead.kin if one.is_close)
        if as_json or not sys.stdin.isatty():
            also = f"; the same sound is in {close} too" if close else ""
            raise ConfigError(f"{told} for good: add --yes to do it{also}")
        for line in kin_lines(ahead.kin, opened.name):
            warn(line)
        typer.confirm(f"{told[0].upper()}{told[1:]} for good. Go on?", abort=True, err=True)
    done = take_down(opened, source, reason)

    def people() -> None:
        told = "was taken down before; " if done.is_again else ""
        say(
            f"Source '{done.source_id}': {told}{len(done.clips)} clips withdrawn, {done.files} files and "
            f"{done.feature_rows} cached features removed, {done.files_wiped} logs and pasted tables cleared of it."
        )
        for name, count in done.releases.items():
            say(f"Release '{name}' holds {count} of these clips and stays as it is; tell those who use it.")
        for line in kin_lines(done.kin, opened.name):
            say(line)
        for job in done.running:
            say(f"Job {job} runs and may have named it: run this again when it has ended, to clear what it wrote.")
        for path in done.kept_files:
            say(f"Your own file stays where it is: {path}")
        say(f"Entered in {opened.takedowns_csv}.")

    show({"ok": True, "study": opened.name, **done.document()}, as_json=as_json, people=people)


def kin_lines(kin: "Sequence[RelatedSource]", study: str) -> Iterator[str]:
    """What is to be said of other sources with the same sound, and how those are withdrawn too."""
    close = [one for one in kin if one.is_close]
    for one in close:
        yield f"Source '{one.source_id}' {_holds(one)}"
        yield f"  to withdraw it too: workbench takedown {one.source_id} --study {study}"
    if rest := len(kin) - len(close):
        are = "1 other source holds" if rest == 1 else f"{rest} other sources hold"
        yield f"{are} short stretches of it: with --json each is named."


def _holds(one: "RelatedSource") -> str:
    if one.why == "copy":
        return (
            f"is a re-upload of it: {one.own_share or 0:.0%} of this one is the same sound. No clip was made of it "
            "twice; the next ingest makes them of this one."
        )
    if one.why == "original":
        return f"aired before it and holds {one.share or 0:.0%} of it. What it holds stays in the study."
    if one.why == "sibling":
        return "is a re-upload of the same recording."
    parts = []
    if one.seconds is not None:
        parts.append(
            f"holds {one.seconds:.0f} s of it ({one.share or 0:.0%} of it, {one.own_share or 0:.0%} of its own)"
        )
    if one.same_windows:
        some = "1 window" if one.same_windows == 1 else f"{one.same_windows} windows"
        parts.append(f"has {some} with the very same samples as clips of it")
    return " and ".join(parts) + "."
