"""The main job on material made on the spot, through the same functions and commands that a real study runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pipelines import corpora
from pipelines.atomic_write import write_text
from pipelines.errors import Cancelled, DataError, PipelineError
from pipelines.manifest import read_clips, read_table, table_to_csv
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.study import DEMO, Study, create_study, open_study, study_names
from workbench.demo import material
from workbench.demo.server import serving

ACTED = "demo_acted"
ANNOTATOR = "demo annotator"
RELEASE = "r1"
EMOTIONS = ("neutral", "fearful")
SEED = 1
RECIPES: Mapping[str, str] = {"five": "soap_five", "binary": "soap_binary"}

Step = Literal["ingest", "annotations", "agreement", "release", "train", "compare"]


@dataclass
class Demo:
    """What the steps share. `done` is what each finished step gave."""

    root: Path
    study: Study
    report: ProgressCallback = ignore_progress
    done: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the made recordings lie; private, beside the demo study's own data."""
        return self.study.private / "made"


def run_demo(root: Path, report: ProgressCallback = ignore_progress) -> dict[str, Any]:
    """Run the whole loop under `root` and say what each step gave; what is there already is not made again.

    The document has `ok`, `steps`, `versions`, and where a step failed `failed` with its name and reason.
    """
    study = open_study(DEMO, root) if DEMO in study_names(root) else _new_study(root)
    demo = Demo(root, study, report)
    document: dict[str, Any] = {"ok": True, "steps": demo.done, "versions": _versions()}
    for number, (name, step) in enumerate(STEPS.items()):
        report(Progress("demo", number, len(STEPS)))
        try:
            demo.done[name] = step(demo)
        except Cancelled:
            raise
        except PipelineError as error:
            return document | {"ok": False, "failed": {"step": name, "error": str(error)}}
    report(Progress("demo", len(STEPS), len(STEPS)))
    return document


def _ingest(demo: Demo) -> dict[str, Any]:
    from pipelines.ingest.run.run import ingest

    start = time.monotonic()
    material.make_material(demo.folder, demo.report)
    with serving(demo.folder / "episodes", _port_used_before(demo.study)) as url:
        _list_sources(demo.study, url)
        report = ingest(demo.study, [], report=demo.report)
    if ACTED not in corpora.registered(demo.root):
        card = demo.folder / "acted.toml"
        write_text(card, files("workbench.demo").joinpath("acted.toml").read_text(encoding="utf-8"))
        corpora.add(demo.root, ACTED, demo.folder / "acted", str(card))
    if report.exit_code:
        raise DataError(f"an episode of the demo was not ingested: {report.failed[0].reason}")
    return {
        "sources": len(report.sources),
        "clips": report.clips,
        "rejected": sum(report.rejected.values()),
        "seconds": round(time.monotonic() - start, 1),
    }


def _annotations(demo: Demo) -> dict[str, Any]:
    from workbench.labels.simulated_raters import simulate

    spoken = {number: material.truth_of(demo.folder, number) for number in range(1, material.EPISODES + 1)}
    truth = {}
    for clip in read_clips(demo.study.clips_csv):
        label = material.true_label(clip, spoken[int(clip.source_id[-2:])])
        if label is not None:
            truth[clip.clip_id] = label
    made = simulate(demo.study, truth=truth, seed=SEED)
    return {"raters": len(made.raters), "count": made.annotations, "kind": "simulated"}


def _agreement(demo: Demo) -> dict[str, Any]:
    from workbench.agreement.study_agreement import study_agreement
    from workbench.store import open_store

    with open_store(demo.study) as store:
        found = study_agreement(demo.study, store)
    return {view: {"alpha": each.coefficients["alpha"], "items": each.items} for view, each in found.items()}


def _release(demo: Demo) -> dict[str, Any]:
    from pipelines.release import open_release, release_names
    from workbench.releases.create import create_release

    if RELEASE in release_names(demo.study):
        release = open_release(demo.study, RELEASE)
    else:
        release = create_release(demo.study, RELEASE)
    return {"name": release.name, "clips": release.facts["counts"]["clips"], "digest": release.digest}


def _train(demo: Demo) -> dict[str, Any]:
    demo.report(Progress("training", 0, len(RECIPES)))
    with ThreadPoolExecutor(len(RECIPES)) as pool:
        found = dict(zip(RECIPES, pool.map(lambda recipe: _trained(demo, recipe), RECIPES.values()), strict=True))
    demo.report(Progress("training", len(RECIPES), len(RECIPES)))
    return found


def _trained(demo: Demo, recipe: str) -> dict[str, Any]:
    """The newest run of `recipe` on the demo's release; trained now, in a process of its own, if there is none."""
    from pipelines.training import runs

    digest = demo.done["release"]["digest"]
    for run in reversed(runs(demo.study.runs)):
        if run.recipe == recipe and run.facts["data"]["origin"].get("digest") == digest:
            return _judged(run.facts)
    command = [sys.executable, "-m", "workbench", "train", recipe, "--release", RELEASE, "--study", DEMO, "--json"]
    here = os.environ | {"WORKBENCH_ROOT": str(demo.root), "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    told = subprocess.run(command, capture_output=True, text=True, env=here, check=False)
    if told.returncode:
        raise DataError(
            f"training {recipe} failed: {told.stderr.strip().splitlines()[-1] if told.stderr else 'no word'}"
        )
    return _judged(json.loads(told.stdout))


def _judged(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": facts["run_id"],
        "accuracy": facts["metrics"]["accuracy"],
        "test_clips": facts["metrics"]["accuracy"]["n"],
        "human_ceiling": facts["ceiling"]["test"]["rater"],
    }


def _compare(demo: Demo) -> dict[str, Any]:
    from pipelines.compare import STYLES, compare
    from workbench.releases.datasets import labelled_clips

    sets = [labelled_clips(demo.root, name) for name in (DEMO, ACTED)]
    out = demo.study.private / "compare" / demo.done["release"]["digest"][:12]
    record = out / "comparison.json"
    if not record.is_file():
        compare(sets, EMOTIONS, styles=tuple(STYLES), seed=SEED, out=out, report=demo.report)
    made = json.loads(record.read_text(encoding="utf-8"))
    return {"figures": [str(out / name) for name in made["figures"]], "corpora": made["corpora"]}


STEPS: Mapping[Step, Callable[[Demo], dict[str, Any]]] = {
    "ingest": _ingest,
    "annotations": _annotations,
    "agreement": _agreement,
    "release": _release,
    "train": _train,
    "compare": _compare,
}


def _new_study(root: Path) -> Study:
    study = create_study(DEMO, rights_basis="made by this program; nobody else has rights in it", root=root)
    settings = study.settings_file.read_text(encoding="utf-8")
    settings = settings.replace("\n[clip]", "allow_private_hosts = true  # its own server\n\n[clip]", 1)
    write_text(study.settings_file, settings + "\n[fetch]\npause_s = 0  # nobody to be polite to\n")
    write_text(
        study.manifests / ".gitignore", "# Made by 'workbench demo'; make it again instead of committing it.\n*\n"
    )
    return Study(root, DEMO)


def _port_used_before(study: Study) -> int:
    """The port in sources.csv, so that a second run offers the same URLs; 0 on the first."""
    if not study.sources_csv.is_file():
        return 0
    return urlsplit(read_table(study.sources_csv, required=("uri",))[0]["uri"]).port or 0


def _list_sources(study: Study, url: str) -> None:
    """Write the source list a curator would write; on a later run only its server's address may need to change."""
    if study.sources_csv.is_file():
        text = study.sources_csv.read_text(encoding="utf-8")
        before = urlsplit(read_table(study.sources_csv, required=("uri",))[0]["uri"])
        write_text(study.sources_csv, text.replace(f"{before.scheme}://{before.netloc}", url))
        return
    rows = [
        {
            "source_id": f"river-street-e{number:02d}",
            "uri": f"{url}/{material.episode_file(Path(), number).name}",
            "rights_basis": study.settings.rights_basis,
            "series": "River Street",
            "season": 1,
            "episode": number,
            "language": "en",
        }
        for number in range(1, material.EPISODES + 1)
    ]
    write_text(study.sources_csv, table_to_csv(list(rows[0]), rows))


def _versions() -> dict[str, str]:
    from workbench.status.doctor import PACKAGES

    return {name: version(name) for name in ("drama-emotion-workbench", *PACKAGES)}
