"""What was lost on the way to clips, and the screens that decide it: parts of `workbench clips`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.console import JsonOption, StudyOption, leave, reporter, say, show

if TYPE_CHECKING:
    from pipelines.ingest.selection.funnel import Funnel
    from pipelines.ingest.selection.threshold_preview import Candidates
    from pipelines.study import ScreenThresholds, Study
    from pipelines.units import ClipId

WIDTH = 48
BINS = 20
LIMITS = ("min", "max", "review_min", "review_max")


def funnel(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Show the audio left after each step, rejected windows by reason, and kept windows by loudness.

    Example: workbench clips funnel --study night
    """
    from pipelines.ingest.selection.funnel import funnel as count
    from pipelines.ingest.selection.threshold_preview import read_candidates
    from pipelines.ingest.state.status import source_standings
    from pipelines.study import open_study
    from workbench.labels.answered_clips import answered_in, outside
    from workbench.status.ingest_status import reason_words

    opened = open_study(study)
    candidates = read_candidates(opened.candidates)
    spoken = {
        one.source_id: (one.seconds or 0.0, one.speech_s or 0.0)
        for one in source_standings(opened)
        if one.state == "done"
    }
    found = count(candidates, opened.settings, spoken)
    gone = outside(opened, answered_in(opened), candidates)

    def people() -> None:
        say_funnel(found, opened)
        for number, (code, many) in enumerate(gone.items()):
            if not number:
                say("Answered, and not in the study now (the answers wait under the clips' ids):")
            say(f"  {many:7} {reason_words(code, opened.settings)}")

    show({"study": opened.name, **found.document(), "answered_outside": gone}, as_json=as_json, people=people)


def screen(
    name: Annotated[str | None, typer.Argument(help="Which screen; none: all of them, in a line each.")] = None,
    least: Annotated[
        str | None,
        typer.Option("--min", metavar="NUMBER|none", help="Keep windows with at least this; none: no limit."),
    ] = None,
    most: Annotated[
        str | None, typer.Option("--max", metavar="NUMBER|none", help="Keep windows with at most this; none: no limit.")
    ] = None,
    review_least: Annotated[
        str | None, typer.Option("--review-min", metavar="NUMBER|none", help="Windows down to this go to review.")
    ] = None,
    review_most: Annotated[
        str | None, typer.Option("--review-max", metavar="NUMBER|none", help="Windows up to this go to review.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Use the default thresholds.")] = False,
    put: Annotated[
        bool, typer.Option("--set", help="Write the thresholds to study.toml and update the clips.")
    ] = False,
    seen: Annotated[
        str | None, typer.Option("--seen", hidden=True, help="JSON: only while these are in force.")
    ] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show scores and what other thresholds would keep; --set applies them. Nothing is decoded again.

    Example: workbench clips screen longest_pause_s --max 0.7
    """
    from pipelines.errors import ConfigError, UnknownName
    from pipelines.ingest.selection.manual_picks import read_picks
    from pipelines.ingest.selection.screens import SCREENS, effective_thresholds
    from pipelines.ingest.selection.speaker_quotas import read_clip_speakers
    from pipelines.ingest.selection.threshold_preview import preview_thresholds, read_candidates
    from pipelines.study import open_study
    from workbench.labels.answered_clips import answered_in, leaving_words

    opened = open_study(study)
    asked = {key: text for key, text in zip(LIMITS, (least, most, review_least, review_most), strict=True) if text}
    if name is None:
        if asked or default or put:
            raise ConfigError("say which screen: workbench clips screen NAME ('workbench clips screen' names them)")
        _all(opened, as_json)
        return
    if name not in SCREENS:
        raise UnknownName("screen", name, SCREENS)
    if default and asked:
        raise ConfigError("--default goes without other bounds")
    now = effective_thresholds(opened.settings)[name]
    wanted = SCREENS[name].thresholds if default else _moved(now, asked)
    candidates = read_candidates(opened.candidates)
    said = read_clip_speakers(opened, candidates.rows_by_source.keys())
    told = preview_thresholds(candidates, opened.settings, {name: wanted}, picks=read_picks(opened), speakers=said)
    with_answers = answered_in(opened)
    document: dict[str, Any] = {
        "study": opened.name,
        "screen": name,
        "says": SCREENS[name].description,
        "bounds": now.model_dump(),
        "asked": wanted.model_dump(),
        "keeps": told.n_kept,
        "was": told.n_kept_before,
        "gains": len(told.gained),
        "loses": len(told.lost),
        "loses_answered": len(with_answers.intersection(told.lost)),
        "status": told.statuses,
        "reasons": told.reasons,
        "set": put,
    }
    code = 0
    if put:
        code = _put(opened, name, None if default else wanted, _seen(seen) or now, document, with_answers)

    def people() -> None:
        _say_histogram(candidates, told.kept, name, wanted)
        verb = "Keeps" if put else "Would keep"
        say(f"{verb} {told.n_kept} clips (was {told.n_kept_before}): gains {len(told.gained)}, loses {len(told.lost)}.")
        if words := leaving_words(len(told.lost), document["loses_answered"], is_done=put):
            say(words)
        if put:
            say(document["told"])
        elif wanted != now:
            say("Nothing was changed; --set puts it in force.")

    show(document, as_json=as_json, people=people)
    leave(code)


def _moved(now: "ScreenThresholds", asked: Mapping[str, str]) -> "ScreenThresholds":
    from pipelines.ingest.selection.threshold_preview import move_limit
    from pipelines.study import ScreenThresholds
    from pipelines.toml_config import parse

    bounds = now
    for key, text in asked.items():
        limit = _number(key, text)
        if key == "min":
            bounds = move_limit(bounds, "min", limit)
        elif key == "max":
            bounds = move_limit(bounds, "max", limit)
        else:
            bounds = bounds.model_copy(update={key: limit})
    return parse(ScreenThresholds, bounds.model_dump(), "workbench clips screen")


def _number(key: str, text: str) -> float | None:
    from pipelines.errors import ConfigError

    if text.lower() == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--{key.replace('_', '-')}: expected a number or 'none', found '{text}'") from None


def _seen(text: str | None) -> "ScreenThresholds | None":
    """What a page showed when somebody asked for other bounds there."""
    from pydantic import ValidationError

    from pipelines.errors import ConfigError
    from pipelines.study import ScreenThresholds

    if text is None:
        return None
    try:
        return ScreenThresholds.model_validate_json(text)
    except ValidationError:
        raise ConfigError('--seen: expected bounds as JSON, such as {"max": 0.7}') from None


def _put(
    study: "Study",
    name: str,
    bounds: "ScreenThresholds | None",
    seen: "ScreenThresholds",
    document: dict[str, Any],
    with_answers: frozenset["ClipId"],
) -> int:
    """Write the bounds, then make the tables and clips so. Where a run is under way, that one does it at its end."""
    from pipelines.errors import ConfigError
    from pipelines.ingest.run.run import retable
    from pipelines.ingest.selection.threshold_edit import set_thresholds
    from pipelines.study import open_study

    before = set_thresholds(study, name, bounds, seen=seen)
    document["before"] = before.model_dump() if before is not None else None
    with reporter() as report:
        try:
            done = retable(open_study(study.name, study.root), report=report)
        except ConfigError as error:
            document["told"] = f"{study.settings_file.name} says so now, and clips.csv not yet: {error}"
            return 3
    document["told"] = "clips.csv says so now." if done.changed else "clips.csv was so already."
    document["changed"] = done.changed
    document["left"] = dict(done.left)
    document["left_answered"] = len(with_answers.intersection(done.left_ids))
    return int(done.exit_code)


def _all(study: "Study", as_json: bool) -> None:
    from pipelines.ingest.selection.screens import SCREENS, effective_thresholds
    from pipelines.ingest.selection.threshold_preview import read_candidates
    from workbench.status.ingest_status import bounds_words

    candidates = read_candidates(study.candidates)
    bounds = effective_thresholds(study.settings)
    against = {
        name: sum(any(reason.rpartition("_")[0] == name for reason in reasons) for reasons in candidates.reasons)
        for name in SCREENS
    }
    document = {
        "study": study.name,
        "windows": len(candidates),
        "clips": int(candidates.kept.sum()),
        "screens": [
            {"screen": name, "says": one.description, "bounds": bounds[name].model_dump(), "against": against[name]}
            for name, one in SCREENS.items()
        ],
    }

    def people() -> None:
        for name, one in SCREENS.items():
            say(f"{name:18} {bounds_words(bounds[name]):32} refuses {against[name]:6}  {one.description}")
        say(f"{document['clips']} clips of {document['windows']} windows in study '{study.name}'.")

    show(document, as_json=as_json, people=people)


def _say_histogram(candidates: "Candidates", kept: Any, name: str, bounds: "ScreenThresholds") -> None:
    from pipelines.ingest.selection.screens import SCREENS
    from pipelines.ingest.selection.threshold_preview import histogram
    from workbench.status.ingest_status import bounds_words

    made = histogram(candidates, name, kept, bins=BINS)
    most = max(1, int((made.kept + made.others).max()))
    say(f"{name}: {SCREENS[name].description}; {bounds_words(bounds)}. # kept, . not kept")
    for low, inside, outside in zip(made.edges, made.kept, made.others, strict=False):
        bar = "#" * round(WIDTH * inside / most) + "." * round(WIDTH * outside / most)
        say(f"{low:10.3g} | {bar} {inside + outside}")
    if made.unknown:
        say(f"{made.unknown} windows have no such score; they pass.")


def say_funnel(found: "Funnel", study: "Study") -> None:
    """The funnel in lines, for a person."""
    from workbench.app.formatting import duration
    from workbench.status.ingest_status import reason_words

    first = found.steps[0].seconds or 1.0
    for step in found.steps:
        say(f"{step.name:22} {duration(step.seconds):>12}  {100 * step.seconds / first:5.1f} %")
    say("Windows that pass every screen, by loudness:")
    for one in found.loudness_quartiles:
        share = 100 * one.passing / one.windows
        say(f"  {one.low:6.1f} to {one.high:6.1f} LUFS: {share:5.1f} % of {one.windows}")
    say("Not kept, by the first reason:")
    for code, count in found.reasons.items():
        say(f"  {count:7} {reason_words(code, study.settings)}")
    arms = ", ".join(f"{count} {arm}" for arm, count in found.arms.items())
    say(f"Kept: {arms or 'none'}. A screen would have refused {found.random_would_fail} of those drawn at random.")
