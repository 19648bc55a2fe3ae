"""What a study has got of recordings, what holds them back, and why windows are not clips: all of it in words."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.errors import ConfigError
from pipelines.units import SourceId

if TYPE_CHECKING:
    from pipelines.ingest.state.status import SourceStanding
    from pipelines.study import ScreenThresholds, Study, StudySettings

#: How a source is said to stand, in the order of what asks for attention first.
State = Literal["needs you", "broke off", "waits", "paused", "not begun", "fetched", "unusable", "our error", "done",
                "taken once", "taken down"]  # fmt: skip
STATES: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]

#: A sign beside the words, since colour alone tells nothing to some.
SIGNS: Mapping[State, str] = {
    "needs you": "▲", "broke off": "↻", "waits": "◷", "paused": "‖", "not begun": "○", "fetched": "◐", "unusable": "✕",
    "our error": "✕", "done": "●", "taken once": "＝", "taken down": "–",
}  # fmt: skip

_FAILED: Mapping[str, State] = {
    "fix": "needs you", "retry": "broke off", "defer": "waits", "gone": "unusable", "bug": "our error",
}  # fmt: skip

_ADVICE: Mapping[State, str] = {
    "needs you": "See to what the sentence says, then try again.",
    "broke off": "The next run tries it again, three times with growing pauses.",
    "waits": "A later run asks again by itself when its time has come.",
    "paused": "It stays as it is until you let it go on.",
    "not begun": "The next run takes it.",
    "fetched": "It is here; the next run listens to it and cuts its clips.",
    "unusable": "It is not asked for again, unless you say so: try again, or give another address.",
    "our error": "An error of this program: please report it. It is not tried again unless you say so.",
    "done": "Nothing to do.",
    "taken once": "The same recording is there under another name, so it was not taken twice.",
    "taken down": "It was withdrawn and is never brought back.",
}

Action = Literal["add", "watch", "start", "mend", "screens", "hear"]


@dataclass(frozen=True, slots=True)
class NextStep:
    """What there is and what holds it back, in a sentence or two, and the button that moves it."""

    sentence: str
    action: Action
    button: str


def check_length(study: "Study") -> None:
    """Raise ConfigError where clips that were answered would be cut anew in another length.

    A clip's id says where it begins: its labels would come to stand for other sound.
    """
    from pipelines.manifest import read_clips
    from workbench.store import open_store

    length_s = study.settings.clip.length_s
    if not study.clips_csv.is_file():
        return
    others = {
        clip.clip_id
        for clip in read_clips(study.clips_csv)
        if clip.arm != "picked" and clip.n_samples != round(length_s * clip.rate_hz)
    }
    if not others:
        return
    with open_store(study) as store:
        answered = others & {answer.clip_id for answer in store.standing()}
    if answered:
        raise ConfigError(
            f"study.toml: clips are to last {length_s:g} s, but {len(answered)} clips of another length were answered, "
            "and their labels would come to stand for other sound; set [clip] length_s back, or make a new study with "
            "'workbench init'"
        )


def state_of(one: "SourceStanding", paused: frozenset[SourceId] = frozenset()) -> State:
    """How a source is said to stand."""
    if one.source_id in paused and one.state in ("waiting", "fetched", "failed"):
        return "paused"
    if one.state == "failed":
        return _FAILED.get(one.failure, "needs you")
    named: Mapping[str, State] = {
        "waiting": "not begun", "fetched": "fetched", "done": "done", "duplicate": "taken once",
        "taken_down": "taken down",
    }  # fmt: skip
    return named[one.state]


def advice(one: "SourceStanding", state: State) -> str:
    """What can be done about it, in one sentence."""
    if state == "waits" and one.until is not None and one.until > time.time():
        when = time.strftime("%H:%M on %-d %B", time.localtime(one.until))
        return f"A run after {when} asks again by itself."
    return _ADVICE[state]


def next_step(
    states: Sequence[State], clips: int, *, running: bool, has_candidates: bool, looking: bool = False
) -> NextStep:
    """The one thing to do next. `clips`: how many the study has; `looking`: what runs only looks at what there is."""
    count = Counter(states)
    left = count["not begun"] + count["fetched"] + count["broke off"]
    if looking:
        return NextStep("What you asked for is being looked at; nothing is fetched yet.", "watch", "")
    if running:
        return NextStep("Recordings are being made into clips now.", "watch", "")
    if not states:
        return NextStep("There is no recording here yet.", "add", "Add recordings")
    if left:
        many = (
            "1 recording waits to be made into clips" if left == 1 else f"{left} recordings wait to be made into clips"
        )
        broke = "" if not count["broke off"] else f", {count['broke off']} of them broke off before"
        if left == count["broke off"]:
            many = "1 recording broke off" if left == 1 else f"{left} recordings broke off"
            broke = " and can be tried again"
        return NextStep(f"{many}{broke}.", "start", "Start it" if left == 1 else f"Start all {left}")
    if count["needs you"]:
        needs = count["needs you"]
        many = "1 recording needs you" if needs == 1 else f"{needs} recordings need you"
        return NextStep(f"{many}: the table says what to do.", "mend", "Show what to do")
    if not clips and has_candidates:
        return NextStep(
            "No window passes the screens: one of them may be too strict.", "screens", "Look at the screens"
        )
    if not clips:
        return NextStep("No recording has given a clip yet.", "add", "Add recordings")
    if count["waits"] and count["waits"] == len(states) - count["done"]:
        many = "1 recording waits" if count["waits"] == 1 else f"{count['waits']} recordings wait"
        return NextStep(f"{many} for a site; the others are done.", "hear", "Hear the clips")
    lost = count["unusable"] + count["our error"]
    if lost:
        many = "1 recording cannot be used" if lost == 1 else f"{lost} recordings cannot be used"
        return NextStep(f"{many}: the table says why. Nothing holds the others back.", "hear", "Hear the clips")
    return NextStep("Nothing holds the recordings back.", "hear", "Hear the clips")


_DECIDED = {
    "repeated": "sounds elsewhere too: an opening, an ending, a recap",
    "picked_over": "a window picked by hand stands there",
    "overlap": "another clip stands there",
    "same_clip": "the same sound as an earlier clip",
    "source_full": "its recording has as many clips as one may have",
    "speaker_full": "its speaker has as many clips as one may have",
    "unpicked": "picked by hand, and that was taken back",
    "not_cut": "could not be cut",
    "no_window": "no window begins there since the recording was heard anew",
    "unlisted": "its recording is no longer in sources.csv",
    "taken_down": "its recording was withdrawn",
    "elsewhere": "no window of this machine has its name",
}


def reason_words(code: str, settings: "StudySettings") -> str:
    """A reason code of a window in words: `longest stretch without speech, in seconds: over 1`."""
    from pipelines.ingest.selection.screens import SCREENS, effective_thresholds

    name, _, side = code.rpartition("_")
    if name not in SCREENS:
        return _DECIDED.get(code, code.replace("_", " "))
    bounds = effective_thresholds(settings)[name]
    limit = bounds.min if side == "low" else bounds.max
    beyond = "too low" if side == "low" else "too high"
    if limit is not None:
        beyond = f"under {limit:g}" if side == "low" else f"over {limit:g}"
    return f"{SCREENS[name].description}: {beyond}"


def bounds_words(bounds: "ScreenThresholds") -> str:
    """`at least 0.6 and at most 0.9`, `no limit`."""
    parts = []
    if bounds.min is not None:
        parts.append(f"at least {bounds.min:g}")
    if bounds.max is not None:
        parts.append(f"at most {bounds.max:g}")
    return " and ".join(parts) or "no limit"
