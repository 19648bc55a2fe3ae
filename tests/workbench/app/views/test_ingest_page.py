"""The Ingest page in each of its states: empty, running, failed, paused, done, and a limit on its way."""

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.ingest.selection.screens import effective_thresholds
from pipelines.ingest.selection.threshold_preview import read_candidates
from pipelines.ingest.state.operator_requests import read_requests, request_action
from pipelines.study import ScreenThresholds, Study, create_study
from tests.workbench.app.page_harness import Viewed, words
from workbench.app.views.ingest import ingest_reads, server_files
from workbench.jobs import jobs
from workbench.jobs.jobs import Job

FAILED = {"status": "failed", "clips": 0, "rejected": {}, "duration_s": None, "speech_s": None}


@pytest.fixture
def study(ingested: Study, tmp_path: Path) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path, ingested.name)


@pytest.fixture(autouse=True)
def _a_waiting_job_has_all_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a page takes to draw, a job whose runner never came is not given up meanwhile."""
    monkeypatch.setattr(jobs, "START_S", 3600.0)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The moment at which the clock stands still for what is read of a run."""
    moment = time.time()
    monkeypatch.setattr(ingest_reads, "time", SimpleNamespace(time=lambda: moment))
    return moment


@pytest.fixture
def bare(tmp_path: Path) -> Study:
    return create_study("bare", rights_basis="", root=tmp_path)


@pytest.fixture
def opened(viewed: Viewed, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setattr(server_files, "is_alone", lambda: True)

    def run(study: Study, **query: str) -> AppTest:
        return viewed(study, "workbench.app.views.ingest:show", "curator", owner=True, **query)

    return run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the page would run, instead of running it."""
    asked: list[list[str]] = []

    def start(study: Study, argv: list[str], title: str, **_: object) -> Job:
        asked.append(list(argv))
        return Job(study.jobs / "none", tuple(argv), title, 0.0, "waiting")

    monkeypatch.setattr(jobs, "start", start)
    return asked


def job(study: Study, name: str, state: str, argv: list[str], **more: object) -> Path:
    """A job's folder as its runner leaves it."""
    folder = study.jobs / name
    folder.mkdir(parents=True)
    facts = {
        "program": [], "argv": argv, "title": "Ingest 3 recordings", "about": {}, "started": time.time() - 60,
        "state": state, "runner": None, "worker": None, "exit_code": None, "ended": None,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(facts | more))
    return folder


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_an_empty_study_is_taught_to_add_recordings(opened: Callable[..., AppTest], bare: Study) -> None:
    app = opened(bare)
    said = words(app)
    assert "No recordings yet." in said and "workbench ingest FILE_OR_FOLDER_OR_URL" in said
    assert "Check first" in labels(app) and app.button(key="start").disabled


def test_what_is_typed_is_checked_at_once_and_started_as_a_person_would(
    opened: Callable[..., AppTest], bare: Study, started: list[list[str]]
) -> None:
    (bare.root / "one.wav").write_bytes(b"x")
    app = opened(bare)
    lines = app.text_area(key="lines-Addresses")
    lines.set_value("one.wav\nftp://example.org/a").run()
    (warning,) = app.warning
    assert "Line 2" in warning.value and "Say on what ground" in warning.value
    app.text_area(key="lines-Addresses").set_value("one.wav\nhttps://example.org/a.mp4").run()
    app.text_input(key="rights").set_value("mine").run()
    assert not app.warning and app.button(key="start").label == "Start 2 recordings"
    app.button(key="check").click().run()
    options = ["--rights-basis", "mine", "--study", "bare", "--json"]
    inputs = [str(bare.root / "one.wav"), "https://example.org/a.mp4"]
    assert started == [["ingest", *inputs, "--dry-run", *options]]


def test_a_table_is_checked_by_row_and_column(opened: Callable[..., AppTest], bare: Study) -> None:
    app = opened(bare)
    app.segmented_control(key="way").set_value("A table (CSV)").run()
    app.text_area(key="table-text").set_value("uri,season\nhttps://example.org/a,two").run()
    (warning,) = app.warning
    assert "row 1, column 'season': expected a whole number or nothing, found 'two'" in warning.value
    assert app.button(key="start").disabled


def test_what_a_look_ahead_found_is_told_and_can_be_started(
    opened: Callable[..., AppTest], bare: Study, started: list[list[str]]
) -> None:
    argv = ["ingest", "https://example.org/a", "https://example.org/b", "--dry-run", "--study", "bare", "--json"]
    folder = job(bare, "look", "done", argv, exit_code=3, ended=time.time())
    rows = [
        {
            **FAILED, "source_id": "a", "input": "https://example.org/a", "status": "planned", "verdict": "accept",
            "reason_code": "", "reason": "can be fetched", "failure": "", "duration_s": 3000.0,
            "size_bytes": 48_000_000, "disk_bytes": 1,
        },
        {
            **FAILED, "source_id": "b", "input": "https://example.org/b", "verdict": "defer", "reason_code": "live",
            "reason": "is a live stream that is running", "failure": "defer", "size_bytes": None, "disk_bytes": None,
        },
    ]  # fmt: skip
    told = {"sources": rows, "disk_needed_bytes": 624_000_000, "disk_free_bytes": 5e10, "estimated_s": 54.0}
    (folder / "out.json").write_text(json.dumps(told))
    app = opened(bare, check="look")
    said = words(app)
    assert "1 recording of 2 can be taken:" in said and "624 MB of disk (50 GB are free), about 54 s." in said
    (table,) = [one.value for one in app.dataframe if "verdict" in one.value.columns]
    assert list(table["verdict"]) == ["◷ later", "✓ accepted"] and list(table["length"]) == ["–", "50 min"]
    app.button(key="start-checked").click().run()
    assert started == [[word for word in argv if word != "--dry-run"]]


def test_while_it_looks_nothing_is_said_to_be_made_and_then_one_button_starts_what_was_found(
    opened: Callable[..., AppTest], bare: Study, started: list[list[str]]
) -> None:
    (bare.root / "one.wav").write_bytes(b"x")
    given = str(bare.root / "one.wav")
    argv = ["ingest", given, "--dry-run", "--rights-basis", "mine", "--study", "bare", "--json"]
    folder = job(bare, "look", "waiting", argv, started=time.time())
    app = opened(bare, check="look")
    said = words(app)
    assert (
        "What you asked for is being looked at; nothing is fetched yet." in said and "made into clips now" not in said
    )
    assert "No recordings yet." in said, "the form stays where it was"
    row = {
        **FAILED, "source_id": "one", "input": given, "status": "planned", "verdict": "accept", "reason_code": "",
        "reason": "", "failure": "", "size_bytes": 1_000, "disk_bytes": 1,
    }  # fmt: skip
    told = {"sources": [row], "disk_needed_bytes": 1, "disk_free_bytes": 5e10, "estimated_s": 4.0}
    (folder / "out.json").write_text(json.dumps(told))
    facts = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(facts | {"state": "done", "exit_code": 0, "ended": time.time()}))
    app = opened(bare, check="look")
    app.text_input(key="rights").set_value("mine").run()
    app.text_area(key="lines-Addresses").set_value("one.wav").run()
    assert [label for label in labels(app) if label.startswith("Start")] == ["Start 1 recording"]
    app.button(key="start-checked").click().run()
    assert started == [[word for word in argv if word != "--dry-run"]]


def test_a_folder_is_not_counted_as_one_recording(opened: Callable[..., AppTest], bare: Study) -> None:
    (bare.root / "season").mkdir()
    app = opened(bare)
    app.text_input(key="rights").set_value("mine").run()
    app.text_area(key="lines-Addresses").set_value("season").run()
    assert app.button(key="start").label == "Start" and not app.button(key="start").disabled


def test_a_recording_is_called_by_its_own_name_in_whatever_script(opened: Callable[..., AppTest], study: Study) -> None:
    with study.sources_csv.open("a", encoding="utf-8") as file:
        columns = study.sources_csv.read_text(encoding="utf-8").split("\n")[0].split(",")
        cells = {"source_id": "source-ab12cd", "uri": "media/夜之生人.wav", "rights_basis": "mine"}
        file.write(",".join(cells.get(name, "") for name in columns) + "\n")
    app = opened(study, source="source-ab12cd")
    (table,) = [one.value for one in app.dataframe if "stands" in one.value.columns]
    assert "夜之生人" in list(table["recording"])
    said = words(app)
    assert "**夜之生人**" in said and "in tables and commands: source-ab12cd" in said


def test_what_cannot_be_taken_is_said_in_whole_sentences(opened: Callable[..., AppTest], bare: Study) -> None:
    folder = job(bare, "look", "done", ["ingest", "x", "--dry-run"], exit_code=1, ended=time.time())
    row = {
        **FAILED, "source_id": "", "input": "/srv/<b>.mp4", "verdict": "reject", "reason_code": "not_media",
        "reason": "<b>.mp4: is not a recording; give another file", "failure": "gone", "size_bytes": None,
        "disk_bytes": None,
    }  # fmt: skip
    told = {"sources": [row], "disk_needed_bytes": 0, "disk_free_bytes": 5e10, "estimated_s": 0.0}
    (folder / "out.json").write_text(json.dumps(told))
    assert "✕ rejected: **\\<b\\>.mp4** is not a recording; give another file" in words(opened(bare, check="look"))


def test_two_recordings_of_one_name_are_told_apart(study: Study) -> None:
    with study.sources_csv.open("a", encoding="utf-8") as file:
        columns = study.sources_csv.read_text(encoding="utf-8").split("\n")[0].split(",")
        for source_id, folder in (("source-1", "a"), ("source-2", "b"), ("source-3", "c")):
            name = "夜" if folder != "c" else "日"
            cells = {"source_id": source_id, "uri": f"{folder}/{name}.wav", "rights_basis": "mine"}
            file.write(",".join(cells.get(name, "") for name in columns) + "\n")
    name = ingest_reads.told_apart(study)
    told = [name(one) for one in ("source-1", "source-2", "source-3", "episode_1", "nowhere")]
    assert told == ["夜 (source-1)", "夜 (source-2)", "日", "episode_1", "nowhere"]


def test_a_run_is_watched_with_what_is_left_and_can_be_stopped(
    opened: Callable[..., AppTest], bare: Study, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.sources_csv.write_text("uri,rights_basis\nhttps://example.org/b,mine\nhttps://example.org/c,mine\n")
    folder = job(bare, "run", "waiting", ["ingest", "a", "--study", "bare", "--json"], started=now - 20)
    steps = [
        ("analyse", "a", 9, 60, 10.0),
        ("analyse", "a", 60, 60, 5.0),
        ("sources", "", 1, 3, 5.0),
        ("fetch", "b", 2_500_000, 5_000_000, 1.0),
        ("analyse", "c", 30, 60, 0.0),
    ]
    lines = [
        {"stage": stage, "item": item, "done": done, "total": total, "numbers": {}, "time": now - ago}
        for stage, item, done, total, ago in steps
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    app = opened(bare)
    said = words(app)
    assert "Recordings are being made into clips now." in said
    assert "fetching **b** · listening to **c** · 2.5 MB fetched · ○ not begun 2 · You may leave this page" in said
    bars = [one.proto for one in app.get("progress")]
    assert len(bars) == 1 and re.search(r"1 of 3 recordings ended, about 7 s left", bars[0].text)
    assert bars[0].value == 58
    asked: list[str] = []
    monkeypatch.setattr(jobs, "cancel", lambda one: asked.append(one.job_id))
    app.button(key="stop-ingest").click().run()
    assert asked == ["run"]


def test_a_recording_heard_to_its_end_has_ended_also_where_that_step_was_never_told(bare: Study) -> None:
    folder = job(bare, "run", "waiting", ["ingest", "a", "--study", "bare", "--json"], started=time.time() - 20)
    steps = [("check", "", 4, 4), ("analyse", "a", 60, 60), ("analyse", "b", 60, 60), ("analyse", "c", 15, 60)]
    before = -1.0
    for told in range(1, len(steps) + 1):
        lines = [
            {
                "stage": stage,
                "item": item,
                "done": done,
                "total": total,
                "numbers": {},
                "time": time.time() - 10 + place,
            }
            for place, (stage, item, done, total) in enumerate(steps[:told])
        ]
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        one = jobs.open_job(bare, "run")
        done, total = ingest_reads.ended(one)
        gone = done + sum(share for _, share in ingest_reads.under_way(one).values())
        assert total == 4 and gone > before, "the bar never goes back"
        before = gone
    assert ingest_reads.ended(jobs.open_job(bare, "run")) == (2, 4)


def test_a_run_that_could_not_take_a_file_in_still_tells_of_it(opened: Callable[..., AppTest], study: Study) -> None:
    argv = ["ingest", "notes.mp4", "--study", "night", "--json"]
    folder = job(study, "run", "done", argv, exit_code=3, ended=time.time())
    row = {
        **FAILED, "source_id": "", "input": "notes.mp4", "reason_code": "not_media", "failure": "gone",
        "reason": "notes.mp4: is not a recording",
    }  # fmt: skip
    (folder / "out.json").write_text(json.dumps({"sources": [row]}))
    app = opened(study)
    (table,) = [one.value for one in app.dataframe if "stands" in one.value.columns]
    assert list(table["recording"]) == ["notes.mp4", "episode_1", "episode_2"]
    assert list(table["stands"]) == ["✕ unusable", "● done", "● done"]
    assert table["why"][0] == "is not a recording"
    assert "1 recording cannot be used: the table says why. Nothing holds the others back." in words(app)


@pytest.mark.parametrize(
    ("state", "kind", "words_said"),
    [("lost", "warning", "Nothing is lost: start again"), ("cancelled", "info", "No half-written files were left")],
)
def test_how_a_run_ended_is_said(
    opened: Callable[..., AppTest], study: Study, state: str, kind: str, words_said: str
) -> None:
    job(study, "run", state, ["ingest", "--study", "night", "--json"], ended=time.time())
    (told,) = getattr(opened(study), kind)
    assert words_said in told.value


def test_a_refused_run_says_its_own_sentence(opened: Callable[..., AppTest], study: Study) -> None:
    folder = job(study, "run", "failed", ["ingest", "--study", "night", "--json"], exit_code=2, ended=time.time())
    (folder / "out.json").write_text('{"ok": false, "error": "no rights basis for a.wav"}')
    (told,) = opened(study).error
    assert told.value == "Ingest 3 recordings: no rights basis for a.wav"


def test_a_source_in_the_url_says_what_can_be_done_and_is_paused_and_let_go_on(
    opened: Callable[..., AppTest], study: Study, started: list[list[str]]
) -> None:
    with study.sources_csv.open("a") as file:
        columns = study.sources_csv.read_text().split("\n")[0].split(",")
        cells = {"source_id": "later", "uri": "https://example.org/later.mp4", "rights_basis": "mine"}
        file.write(",".join(cells.get(name, "") for name in columns) + "\n")
    app = opened(study, source="later")
    said = words(app)
    assert "1 recording waits to be made into clips." in said and "○ **not begun**" in said
    app.button(key="start-later").click().run()
    assert started.pop() == ["ingest", "https://example.org/later.mp4", "--study", "night", "--json"]
    app.button(key="pause-later").click().run()
    assert read_requests(study) == {"later": "pause"}
    app = opened(study, source="later")
    assert "‖ **paused**" in words(app)
    app.button(key="go-later").click().run()
    assert read_requests(study) == {}
    request_action(study, "later", "resume")
    app = opened(study)
    app.button(key="next").click().run()
    assert started == [["ingest", "--study", "night", "--json"]]


def test_a_title_from_a_site_is_said_as_it_is(opened: Callable[..., AppTest], study: Study) -> None:
    """A picture in it would tell another server who looks at this page, and when."""
    title = "![x](https://198.51.100.7/seen.png) [sign in](https://198.51.100.7/) <b>*film*</b>"
    with sqlite3.connect(study.ingest_db) as db:
        db.execute(
            "INSERT INTO items (source_id, uri, status, reason_code, reason, failure, attempts, facts) "
            "VALUES ('b', 'https://example.org/b`![x](y)', 'failed', 'gone', ?, 'gone', 2, ?)",
            (title, json.dumps({"title": title})),
        )
    said = words(opened(study, source="b"))
    assert said.count("[sign in") == said.count("\\[sign in\\]") == 2
    assert said.count("![x") == 0 and said.count("!\\[x\\](") == 3 and "<b>" not in said.replace("\\<", "")


def test_a_cell_of_a_table_is_never_an_option_of_the_command(
    opened: Callable[..., AppTest], study: Study, started: list[list[str]]
) -> None:
    """With --scheduler, whoever wrote the table could have this server talk to a machine of theirs."""
    with study.sources_csv.open("a") as file:
        columns = study.sources_csv.read_text().split("\n")[0].split(",")
        cells = {"source_id": "sly", "uri": "--scheduler=tcp://198.51.100.7:8786", "rights_basis": "mine"}
        file.write(",".join(cells.get(name, "") for name in columns) + "\n")
    opened(study, source="sly").button(key="start-sly").click().run()
    assert started == [["ingest", "./--scheduler=tcp://198.51.100.7:8786", "--study", "night", "--json"]]


def test_a_failure_says_what_to_do_and_is_tried_again_alone(
    opened: Callable[..., AppTest], study: Study, started: list[list[str]]
) -> None:
    with sqlite3.connect(study.ingest_db) as db:
        db.execute(
            "INSERT INTO items (source_id, uri, status, reason_code, reason, failure, attempts) "
            "VALUES ('b', 'https://example.org/b.mp4', 'failed', 'needs_account', 'wants an account', 'fix', 2)"
        )
    app = opened(study)
    assert "1 recording needs you: the table says what to do." in words(app)
    (table,) = [one.value for one in app.dataframe if "stands" in one.value.columns]
    assert (table["recording"][0], table["stands"][0], table["tries"][0]) == ("b", "▲ needs you", 2)
    app.button(key="next").click().run()
    (table,) = [one.value for one in app.dataframe if "stands" in one.value.columns]
    assert list(table["recording"]) == ["b"], "only what needs somebody is shown"
    app = opened(study, source="b")
    said = words(app)
    assert "wants an account" in said and "See to what the sentence says, then try again." in said
    app.button(key="retry-b").click().run()
    assert started == [["ingest", "https://example.org/b.mp4", "--study", "night", "--json"]]
    assert read_requests(study) == {"b": "retry"}


def test_losses_are_counted_from_hours_to_clips(opened: Callable[..., AppTest], study: Study) -> None:
    said = words(opened(study, part="Funnel"))
    for words_said in (
        "From hours to clips",
        "Kept windows by loudness",
        "chosen by the screens:",
        "came in by lot",
    ):
        assert words_said in said
    assert "None" not in said and not re.search(r"\d\.\d{7,}", said)


def test_a_moved_limit_says_at_once_what_it_would_keep_and_is_applied_by_a_command(
    opened: Callable[..., AppTest], study: Study, started: list[list[str]]
) -> None:
    app = opened(study, screen="speech_ratio")
    assert app.button(key="apply").disabled, "the limit in force is in force already"
    app.number_input(key="exact-speech_ratio-min").set_value(0.95).run()
    said = words(app)
    told = re.search(r"Keeps \*\*(\d+)\*\* clips \(was (\d+)\), loses (\d+), gains (\d+)\.", said)
    assert told is not None
    keeps, was, loses, gains = map(int, told.groups())
    assert keeps == was - loses + gains < was
    assert app.slider(key="slider-speech_ratio-min").value == pytest.approx(0.95)
    apply = app.button(key="apply")
    assert apply.label == "Apply: at least 0.95"
    apply.click().run()
    (argv,) = started
    assert argv[:5] == ["clips", "screen", "speech_ratio", "--min", "0.95"]
    assert argv[-4:] == ["--set", "--study", "night", "--json"]


def test_a_moved_slider_moves_the_number_too(opened: Callable[..., AppTest], study: Study) -> None:
    app = opened(study, screen="longest_pause_s")
    slider = app.slider(key="slider-longest_pause_s-max")
    slider.set_value(0.5).run()
    assert app.number_input(key="exact-longest_pause_s-max").value == pytest.approx(0.5)
    assert "Apply: at most 0.5" in labels(app)


def test_the_former_limit_is_one_click_away(
    opened: Callable[..., AppTest], study: Study, started: list[list[str]]
) -> None:
    now, before = effective_thresholds(study.settings)["speech_ratio"], ScreenThresholds(min=0.8)
    about = {"screen": "speech_ratio", "before": before.model_dump(), "after": now.model_dump()}
    argv = ["clips", "screen", "speech_ratio", "--set", "--study", "night", "--json"]
    job(study, "run", "done", argv, exit_code=0, ended=time.time(), about=about)
    app = opened(study, screen="speech_ratio")
    undo = app.button(key="undo")
    assert undo.label == "Undo: at least 0.8"
    undo.click().run()
    assert started[0][3:7] == ["--min", "0.8", "--max", "none"]
    assert app.number_input(key="exact-speech_ratio-min").value == pytest.approx(0.8)
    assert app.slider(key="slider-speech_ratio-min").value == pytest.approx(0.8)
    assert "Current thresholds: at least 0.6." in words(app), "what is undone shows while it is on its way"


def test_a_window_in_the_url_says_why_it_was_not_kept(opened: Callable[..., AppTest], study: Study) -> None:
    found = read_candidates(study.candidates)
    row = next(row for row, reasons in enumerate(found.reasons) if "speech_ratio_low" in reasons)
    app = opened(study, clip=found.clip_ids[row])
    said = words(app)
    assert found.clip_ids[row] in said and "share of the clip that is speech: under 0.6" in said
    (scores,) = [one.value for one in app.dataframe if "this window" in one.value.columns]
    assert scores[""][0] == "✕"
    assert "This study has no window of this name" in words(opened(study, clip="nothing-000000000"))
