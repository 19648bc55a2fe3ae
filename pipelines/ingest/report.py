"""What an ingest did: a row per source, clips kept, windows rejected by reason, in seconds and in JSON."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipelines.ingest.selection.decision import Decision
from pipelines.units import ClipId, Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.ingest.selection.funnel import Funnel

#: `planned`: dry runs only. `paused`: skipped until somebody resumes it (pipelines.ingest.state.operator_requests).
#: `unlisted`: a source removed from sources.csv. `left`: clips that were in the study and are not any more.
RowStatus = Literal["ingested", "unchanged", "duplicate", "planned", "failed", "paused", "unlisted", "left"]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one input."""

    given: str
    status: RowStatus
    source_id: SourceId = ""
    reason_code: str = ""
    reason: str = ""
    clips: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    #: Kept clips by how they came in: model, random or picked.
    arms: Mapping[str, int] = field(default_factory=dict)
    duration_s: Seconds | None = None
    speech_s: Seconds | None = None
    #: Of what is not ingested: gone, defer, retry, fix or bug (see pipelines.errors.MediaError).
    failure: str = ""
    #: In dry runs: accept, defer or reject; size of the recording, and what it will take on the disk.
    verdict: str = ""
    size_bytes: int | None = None
    disk_bytes: int | None = None
    #: Why there is no film beside the sound, where the study asks for one.
    video: str = ""
    #: Of clips that were in the study and left: how many by the reason, and which.
    left: Mapping[str, int] = field(default_factory=dict)
    left_ids: tuple[ClipId, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The whole of one run. `changed` says whether any byte of the study's tables changed; `skipped` counts files in
    folders that are no recordings and do not look like one."""

    study: str
    sources: tuple[Row, ...]
    seconds: Seconds
    changed: bool
    skipped: int = 0
    dry_run: bool = False
    #: In dry runs, of all that is accepted: bytes needed and free on the disk, seconds by estimate.
    disk_needed: int | None = None
    disk_free: int | None = None
    estimated_s: Seconds | None = None
    #: Counts the funnel; it reads all candidates, which a night that changed nothing need not do.
    count: "Callable[[], Funnel | None]" = lambda: None

    @property
    def funnel(self) -> "Funnel | None":
        """Of the whole study; None in dry runs and where it has no candidates."""
        return self.count()

    @property
    def clips(self) -> int:
        """Clips kept, over the sources of this run."""
        return sum(row.clips for row in self.sources)

    @property
    def rejected(self) -> Mapping[str, int]:
        """Windows that are not kept, each under the first reason against it."""
        return _total(row.rejected for row in self.sources)

    @property
    def arms(self) -> Mapping[str, int]:
        """Kept clips by how they came in."""
        return _total(row.arms for row in self.sources)

    @property
    def left(self) -> Mapping[str, int]:
        """Clips that were in the study and are not any more, by reason (pipelines.ingest.state.dropped_clips)."""
        return _total(row.left for row in self.sources)

    @property
    def left_ids(self) -> tuple[ClipId, ...]:
        """The same, by id."""
        return tuple(name for row in self.sources for name in row.left_ids)

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.sources if row.status == "failed")

    @property
    def exit_code(self) -> int:
        """0 done, 1 nothing succeeded, 3 some failed."""
        if not self.failed:
            return 0
        return 3 if any(row.status not in ("failed", "unlisted", "paused", "left") for row in self.sources) else 1

    def document(self) -> dict[str, Any]:
        """The report for `--json`."""
        found = self.funnel
        return {
            "ok": self.exit_code == 0,
            "study": self.study,
            "dry_run": self.dry_run,
            "changed": self.changed,
            "clips": self.clips,
            "rejected": dict(self.rejected),
            "arms": dict(self.arms),
            "left": dict(self.left),
            "funnel": found.document() if found else None,
            "skipped_files": self.skipped,
            "seconds": round(self.seconds, 3),
            **(
                {
                    "disk_needed_bytes": self.disk_needed,
                    "disk_free_bytes": self.disk_free,
                    "estimated_s": self.estimated_s,
                }
                if self.dry_run
                else {}
            ),
            "sources": [
                {
                    "source_id": row.source_id,
                    "input": row.given,
                    "status": row.status,
                    "reason_code": row.reason_code,
                    "reason": row.reason,
                    "failure": row.failure,
                    **(
                        {"verdict": row.verdict, "size_bytes": row.size_bytes, "disk_bytes": row.disk_bytes}
                        if self.dry_run
                        else {}
                    ),
                    "clips": row.clips,
                    "rejected": dict(row.rejected),
                    "arms": dict(row.arms),
                    "duration_s": row.duration_s,
                    "speech_s": row.speech_s,
                    **({"video": row.video} if row.video else {}),
                    **({"left": dict(row.left)} if row.left else {}),
                }
                for row in self.sources
            ],
        }


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def tally(counts: Sequence[tuple[Decision, int]]) -> tuple[int, dict[str, int], dict[str, int]]:
    """Kept windows, the others by the first reason against each, and the kept ones by how they came in."""
    reasons: Counter[str] = Counter()
    arms: Counter[str] = Counter()
    for decision, count in counts:
        if decision.kept:
            arms[decision.arm] += count
        else:
            reasons[decision.reasons[0]] += count
    return arms.total(), dict(sorted(reasons.items())), dict(sorted(arms.items()))
