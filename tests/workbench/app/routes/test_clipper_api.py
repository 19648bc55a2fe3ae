"""The clipper's routes under a real server: sound and pictures exact to the sample, picks kept, nothing for raters."""

import io
import shutil
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import requests

from pipelines.ingest.preview.spectrogram_tiles import COLUMNS, ROWS, waveform_envelope
from pipelines.ingest.run import run
from pipelines.ingest.selection.manual_picks import picks_file, read_picks, read_speakers
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.media.audio import Pcm16
from pipelines.schema import clip_id
from pipelines.study import Study
from tests.small_study import lenient_study
from tests.synthetic_audio import noise, video_without_sound, voice
from tests.workbench.app.route_server import served
from workbench.app.routes import clipper_api, label_api, sign_in
from workbench.app.server import background_update, served_study
from workbench.curation.picks import Desk
from workbench.labels import queue
from workbench.people import access_control, invitations
from workbench.people.access_control import Role
from workbench.store import Event, open_store

HZ = 16000
LENGTH = 3 * HZ


class Browser:
    """A browser with the cookie of somebody of that role; of nobody for no name."""

    def __init__(self, address: str, study: Study, name: str, role: Role = "curator") -> None:
        self.name, self.address, self.http = name, address, requests.Session()
        self.key = access_control.secret(study)
        if name:
            with open_store(study) as store:
                invitations.add(store, name, role, exist_ok=True)
            token = invitations.invitation(self.key, name, time.time())
            link = f"{address}/sign-in?invitation={token}"
            assert self.http.get(link, allow_redirects=False).status_code == 303

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.http.get(f"{self.address}/api/clipper/{path}", params=query)

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        return self.http.post(f"{self.address}/api/clipper/{path}", json=body, headers=headers)

    def open(self, source: str = "film", **more: Any) -> dict[str, Any]:
        """What the page shows, when the sound is made."""
        end = time.monotonic() + 60
        while True:
            said: dict[str, Any] = self.post("open", {"source": source, **more}).json()
            if said["state"] != "making" or time.monotonic() > end:
                return said
            time.sleep(0.1)

    def do(self, *events: dict[str, Any]) -> dict[str, Any]:
        answer = self.post(
            "events", {"person": access_control.person_mark(self.key, self.name), "events": list(events)}
        )
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said


def act(kind: str, start: int | None = None, **more: Any) -> dict[str, Any]:
    made = {"id": uuid4().hex, "kind": kind, "source": "film", "age_ms": 12.5, **more}
    return made if start is None else {**made, "start": start}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """An ingested study: 54 s of speech with pauses through AAC, and a row of sources.csv that nobody ingested."""
    study = lenient_study(tmp_path_factory.mktemp("template"))
    scene = [part for n in range(10) for part in (voice(3.4 + n % 3, HZ, 100 + 15 * n, n), noise(0.9, HZ, 0.001, n))]
    study.media.mkdir(parents=True)
    path = study.media / "film.m4a"
    audio.encode(path, np.concatenate([*scene, noise(8, HZ, 0.001)]), HZ, "aac")  # room for a pick at the end
    run.ingest(study, [str(path)], jobs=1)
    with study.sources_csv.open("a", encoding="utf-8") as table:
        width = study.sources_csv.read_text(encoding="utf-8").splitlines()[0].count(",")
        table.write("away,away.mp4" + "," * (width - 1) + "\n")
    return study


@pytest.fixture(scope="module")
def study(template: Study) -> Study:
    return template


@pytest.fixture(scope="module")
def whole(study: Study) -> Pcm16:
    return audio.to_pcm16(audio.read_mono(study.media / "film.m4a")[0])


@pytest.fixture(scope="module")
def address(study: Study) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background_update, "QUIET_S", 0.05)
        patch.setattr(background_update, "RETRY_S", 0.1)
        with served(study, [*label_api.ROUTES, *clipper_api.ROUTES, *sign_in.ROUTES]) as here:
            yield here
            assert clipper_api.settler(study).wait(60)


@pytest.fixture(scope="module")
def cura(address: str, study: Study) -> Iterator[Browser]:
    browser = Browser(address, study, "Cura")
    yield browser
    browser.http.close()


@pytest.fixture
def free(cura: Browser) -> int:
    """A sample from which a clip can be picked that nothing has touched."""
    said = cura.open()
    taken = [
        (one["start"], one["start"] + one["n"]) for one in cura.post("standing", {"source": "film"}).json()["clips"]
    ]
    places = range(7, said["n_samples"] - LENGTH, 101)
    return next(n for n in places if all(n >= end or n + LENGTH <= start for start, end in taken))


def test_a_source_is_opened_while_its_sound_is_made_elsewhere(cura: Browser, study: Study, whole: Pcm16) -> None:
    said = cura.open()
    assert (said["state"], said["source"], said["n_samples"], said["rate_hz"]) == ("ready", "film", len(whole), HZ)
    assert said["clip_samples"] == LENGTH
    assert len(said["view"]["rows_hz"]) == ROWS and said["view"]["columns"] == COLUMNS
    clips = read_clips(study.clips_csv)
    assert {one["clip"] for one in said["clips"]} >= {clip.clip_id for clip in clips if clip.arm != "picked"}
    assert all(0 <= start < end <= len(whole) for start, end in said["speech"])
    assert said["onsets"] == sorted(said["onsets"]) and said["onsets"]
    scores = [one["score"] for one in said["proposals"]]
    assert scores == sorted(scores, reverse=True)
    assert said["counts"].keys() == set(study.scheme.label_names)
    (job,) = [job for job in clipper_api.clipper_source.jobs.jobs(study) if job.about.get("sound") == "film"]
    assert job.argv == ("clips", "sound", "film", "--study", "night")


def test_proposals_meet_no_clip_and_say_why_they_are_none(cura: Browser) -> None:
    said = cura.open()
    taken = [(one["start"], one["start"] + one["n"]) for one in said["clips"]]
    for one in said["proposals"]:
        assert all(one["start"] >= end or one["start"] + one["n"] <= start for start, end in taken)
        assert len(one["reasons"]) == len(one["codes"]) > 0
        assert not any("_" in words for words in one["reasons"])


@pytest.mark.parametrize(("start", "n"), [(0, 1), (123_457, 48_000), (5, 480_000)])
def test_sound_is_the_linear_decode_to_the_sample(cura: Browser, whole: Pcm16, start: int, n: int) -> None:
    version = cura.open()["version"]
    raw = cura.get("sound/film", v=version, start=start, n=n)
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["cache-control"] == "private, max-age=86400, immutable"
    assert np.array_equal(np.frombuffer(raw.content, "<i2"), whole[start : start + n])
    with wave.open(io.BytesIO(cura.get("wav/film", v=version, start=start, n=n).content)) as made:
        assert (made.getframerate(), made.getnchannels(), made.getsampwidth()) == (HZ, 1, 2)
        assert made.readframes(n + 9) == raw.content


def test_the_end_of_the_sound_is_short(cura: Browser, whole: Pcm16) -> None:
    got = cura.get("sound/film", v=cura.open()["version"], start=len(whole) - 7, n=100).content
    assert np.array_equal(np.frombuffer(got, "<i2"), whole[-7:])


def test_a_tile_holds_its_columns_and_the_outline(cura: Browser, whole: Pcm16) -> None:
    said = cura.open()
    view = said["view"]
    for level in (0, view["levels"] - 1):
        got = cura.get(f"tile/film/{level}/0", v=said["version"])
        assert len(got.content) == COLUMNS * ROWS + 2 * COLUMNS
        expected = waveform_envelope(whole[: COLUMNS * (view["finest"] << level)], view["finest"] << level)
        peaks = np.frombuffer(got.content[COLUMNS * ROWS :], np.int8).reshape(-1, 2)
        assert np.array_equal(peaks[: len(expected)], expected)
        assert np.frombuffer(got.content[: COLUMNS * ROWS], np.uint8).max() > 100


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("sound/film", {"start": 0, "n": 10, "v": "old"}, 409, "the sound is another now"),
        ("sound/film", {"start": 0, "n": 0}, 422, "expected 1 to 480000 samples"),
        ("sound/film", {"start": 0, "n": 480_001}, 422, "expected 1 to 480000 samples"),
        ("sound/film", {"start": 10**9, "n": 1}, 422, "begin before the sound ends"),
        ("sound/film", {"start": "-1", "n": 1}, 422, "expected whole numbers"),
        ("sound/film", {"start": "1e3", "n": 1}, 422, "expected whole numbers"),
        ("tile/film/99/0", {}, 404, "there is no tile 0 at level 99"),
        ("tile/film/0/999999", {}, 404, "there is no tile"),
        ("sound/nofilm", {"start": 0, "n": 1}, 404, "there is no source 'nofilm'"),
        ("sound/away", {"start": 0, "n": 1}, 404, "'away' has not been ingested yet"),
        ("video/film", {}, 404, "no film of 'film' is kept here"),
    ],
)
def test_a_wrong_question_is_answered_in_a_sentence(
    cura: Browser, path: str, query: dict[str, Any], status: int, said: str
) -> None:
    got = cura.get(path, **{"v": cura.open()["version"], **query})
    assert got.status_code == status
    assert said in got.json()["error"]


EVERYTHING = [
    ("post", "sources", {}),
    ("post", "open", {"source": "film"}),
    ("post", "standing", {"source": "film"}),
    ("post", "events", {"person": "x", "events": []}),
    ("get", "sound/film", {"start": 0, "n": 10}),
    ("get", "wav/film", {"start": 0, "n": 10}),
    ("get", "tile/film/0/0", {}),
    ("get", "video/film", {}),
]


def test_every_route_is_for_curators_alone(address: str, study: Study, cura: Browser) -> None:
    version = cura.open()["version"]
    asked = {(method, path.split("/")[0]) for method, path, _ in EVERYTHING}
    assert asked == {
        (next(iter((route.methods or set()) - {"HEAD"})).lower(), route.path.split("/")[3])
        for route in clipper_api.ROUTES
    }
    for name, role, status in (("", "annotator", 401), ("Ann", "annotator", 403), ("Ria", "researcher", 200)):
        browser = Browser(address, study, name, role)  # type: ignore[arg-type]
        for method, path, body in EVERYTHING:
            got = browser.post(path, body) if method == "post" else browser.get(path, v=version, **body)
            expected = {"events": 409, "video/film": 404}.get(path, 200) if status == 200 else status
            assert got.status_code == expected, (name, path)
            if status != 200:
                assert list(got.json()) == ["error"]
        browser.http.close()


def test_another_page_may_not_ask(cura: Browser) -> None:
    got = cura.post("sources", {}, **{"Sec-Fetch-Site": "cross-site"})
    assert (got.status_code, got.json()["error"]) == (403, "only a page of this server may ask")
    assert cura.post("open", {"source": "film", "spam": 1}).status_code == 422


def test_a_pick_is_stored_cut_and_listed(cura: Browser, study: Study, whole: Pcm16, free: int) -> None:
    made = act("pick", free, emotion="sad", speaker="Ann", gender="female")
    assert cura.do(made, made) == {"acked": [made["id"]], "refused": []}
    name = clip_id("film", free, HZ)
    assert np.array_equal(audio.to_pcm16(audio.read_mono(study.clip_path(name))[0]), whole[free : free + LENGTH])
    said = cura.post("standing", {"source": "film"}).json()
    (shown,) = [one for one in said["clips"] if one["clip"] == name]
    assert shown == {
        "clip": name, "start": free, "n": LENGTH, "arm": "picked", "emotion": "sad", "speaker": "Ann",
        "gender": "female", "state": shown["state"], "labelled": False,
    }  # fmt: skip
    assert said["counts"]["sad"] == 1
    assert said["speakers"][0] == {"speaker": "Ann", "gender": "female"}
    assert clipper_api.settler(study).wait(60)
    (clip,) = [clip for clip in read_clips(study.clips_csv) if clip.clip_id == name]
    assert (clip.arm, clip.speaker, clip.gender) == ("picked", "Ann", "female")
    assert clip.pcm_sha256 == audio.pcm_sha256(whole[free : free + LENGTH])
    assert "sad" not in study.clips_csv.read_text(encoding="utf-8")
    undone = cura.do(act("undo", of=made["id"]))
    assert len(undone["acked"]) == 1
    assert clipper_api.settler(study).wait(60)
    assert name not in {clip.clip_id for clip in read_clips(study.clips_csv)}
    assert cura.post("standing", {"source": "film"}).json()["counts"]["sad"] == 0
    assert not read_picks(study) and not read_speakers(study)


def test_a_clip_of_the_model_that_a_pick_displaced_comes_back(cura: Browser, study: Study) -> None:
    before = study.clips_csv.read_bytes()
    sounds = {file.name: file.read_bytes() for file in study.audio.iterdir()}
    clip = read_clips(study.clips_csv)[2]
    made = act("pick", clip.start_sample + 5)  # of the same millisecond: another clip of the same name
    assert cura.do(made)["acked"]
    shown = {one["start"] for one in cura.post("standing", {"source": "film"}).json()["clips"]}
    assert clip.start_sample not in shown and clip.start_sample + 5 in shown
    assert clipper_api.settler(study).wait(60)
    assert (clip.start_sample + 5) in {one.start_sample for one in read_clips(study.clips_csv)}
    cura.do(act("undo", of=made["id"]))
    assert clipper_api.settler(study).wait(60)
    assert study.clips_csv.read_bytes() == before
    assert {file.name: file.read_bytes() for file in study.audio.iterdir()} == sounds


def test_what_cannot_be_done_is_refused_and_the_rest_is_kept(cura: Browser, study: Study, free: int) -> None:
    labelled = read_clips(study.clips_csv)[0]
    with open_store(study) as store:
        store.ensure_rater("Ben")
        store.record([Event(uuid4().hex, "Ben", clip_id=labelled.clip_id, label="sad")])
    bad = [
        act("pick", labelled.start_sample + 9),
        act("pick", free, n=5),
        {"id": "malformed", "kind": "shout"},
        {**act("pick", free), "start": -4},
    ]
    good = [act("skip", free), act("mined", free + 99)]
    said = cura.do(bad[0], good[0], *bad[1:], good[1])
    assert said["acked"] == [one["id"] for one in good]
    assert {one["id"] for one in said["refused"]} == {one["id"] for one in bad}
    assert "somebody has labelled the clip at" in said["refused"][-2]["reason"] + said["refused"][-1]["reason"]
    state = cura.post("standing", {"source": "film"}).json()
    assert state["mined_to"] == free + 99 and free in state["skipped"]
    assert [one["labelled"] for one in state["clips"] if one["clip"] == labelled.clip_id] == [True]


def test_another_persons_page_is_noticed(cura: Browser) -> None:
    got = cura.post("events", {"person": "somebody else's mark", "events": []})
    assert (got.status_code, got.json()["error"]) == (409, "this page was opened by somebody else: reload it")


def test_a_rater_is_told_nothing_of_nominations(address: str, study: Study, cura: Browser) -> None:
    """Whatever a rater's browser asks, no answer holds what a curator thinks of a clip, or that one was picked."""
    clip = read_clips(study.clips_csv)[-1]
    cura.do(act("nominate", clip.start_sample, emotion="fearful"), act("speaker", clip.start_sample, speaker="Zoe"))
    ann = Browser(address, study, "Ann of the test", "annotator")
    leased = ann.http.post(f"{address}/api/next", json={"n": 40})
    heard = [ann.http.get(f"{address}{one['url']}") for one in leased.json()["clips"]]
    clips = [ann.http.post(f"{address}/api/clip", json={"token": one["token"]}) for one in leased.json()["clips"]]
    assert len(heard) == len(read_clips(study.clips_csv))
    for answer in (leased, *heard, *clips):
        told = answer.content + repr(dict(answer.headers)).encode()
        for secret in (b"fearful", b"Zoe", b"film", b"picked", b"model", clip.clip_id.encode()):
            assert secret not in told
    assert "fearful" not in study.clips_csv.read_text(encoding="utf-8")
    assert all(not hasattr(item, "label") for item in queue.items(study).clip_ids)
    ann.http.close()


def test_the_sources_are_listed_with_how_far_they_are(cura: Browser, whole: Pcm16) -> None:
    cura.open()
    said = {one["source"]: one for one in cura.post("sources", {}).json()["sources"]}
    assert (said["film"]["state"], said["film"]["n_samples"], said["film"]["title"]) == ("ready", len(whole), "film")
    assert (said["away"]["state"], said["away"]["sentence"]) == (
        "away",
        "'away' has not been ingested yet: run 'workbench ingest' first",
    )


def test_a_film_is_served_by_ranges(cura: Browser, study: Study) -> None:
    study.video.mkdir(parents=True, exist_ok=True)
    film = video_without_sound(study.video / "film.mp4")
    try:
        assert cura.open()["video"] == "/api/clipper/video/film"
        got = cura.http.get(f"{cura.address}/api/clipper/video/film", headers={"Range": "bytes=10-19"})
        assert (got.status_code, got.content) == (206, film.read_bytes()[10:20])
    finally:
        film.unlink()


def test_a_recording_that_went_away_is_a_sentence_and_can_be_tried_again(
    template: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a server: the standing of the sound, asked of a copy of the study."""
    shutil.copytree(template.root, tmp_path / "root", ignore=shutil.ignore_patterns("sound", "jobs"))
    study = Study(tmp_path / "root", template.name)
    mined = clipper_api.mineable(study)["film"]
    mining = clipper_api.clipper_source
    asked: list[Any] = []
    monkeypatch.setattr(mining.jobs, "start", lambda *given, **more: asked.append((given, more)))
    (template.media / "film.m4a").rename(tmp_path / "elsewhere.m4a")  # where the queue says it was ingested
    try:
        away = mining.begin_sound(study, mined)
        assert (away.state, asked) == ("away", [])
        assert away.sentence.startswith("the recording of 'film', film.m4a, is no longer where it was ingested")
    finally:
        (tmp_path / "elsewhere.m4a").rename(template.media / "film.m4a")
    assert mining.begin_sound(study, mined).state == "making"
    (((_, argv, _), _),) = asked
    assert argv == ["clips", "sound", "film", "--study", "night"]


def test_what_keeps_the_tables_behind_is_said_and_the_picks_are_kept(cura: Browser, study: Study, free: int) -> None:
    made = act("pick", free)
    assert clipper_api.settler(study).wait(60)
    with open_queue(study.ingest_db):  # as an ingest has it
        assert cura.do(made)["acked"]
        until = time.monotonic() + 60
        while not (said := cura.post("standing", {"source": "film"}).json())["problem"] and time.monotonic() < until:
            time.sleep(0.05)
        assert said["problem"].startswith("another ingest of this study is running")
        assert [one["state"] for one in said["clips"] if one["start"] == free] == ["waiting"]
    assert clipper_api.settler(study).wait(60)
    said = cura.post("standing", {"source": "film"}).json()
    assert said["problem"] == ""
    assert [one["state"] for one in said["clips"] if one["start"] == free] == ["cut"]
    good = picks_file(study).read_text(encoding="utf-8")
    picks_file(study).write_text(good + "film,abc,48000\n", encoding="utf-8")
    got = cura.post("standing", {"source": "film"})
    assert (got.status_code, "row 2, column 'start_sample'" in got.json()["error"]) == (503, True)
    picks_file(study).write_text(good, encoding="utf-8")
    cura.do(act("undo", of=made["id"]))
    assert clipper_api.settler(study).wait(60)


def test_a_crash_after_the_key_loses_nothing(cura: Browser, study: Study, free: int) -> None:
    """The acknowledged pick is in the store; whoever comes next writes the tables and makes the clip."""
    made = act("pick", free)
    assert cura.do(made)["acked"]
    assert clipper_api.settler(study).wait(60)
    study.clip_path(clip_id("film", free, HZ)).unlink()  # as if killed before the clip was cut
    with open_store(study) as store:
        Desk(study, store).write_tables()
    run.retable(study)
    assert free in {clip.start_sample for clip in read_clips(study.clips_csv) if clip.arm == "picked"}
    assert study.clip_path(clip_id("film", free, HZ)).is_file()
    cura.do(act("undo", of=made["id"]))
    assert clipper_api.settler(study).wait(60)
    assert served_study.study().name == study.name
