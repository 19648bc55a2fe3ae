"""Whether a recording that failed before is tried now: by the class of its failure, and by what people wish."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.ingest.analysis.track_reader import SALVAGEABLE
from pipelines.ingest.state.operator_requests import ActiveRequest
from pipelines.ingest.state.queue import Item
from pipelines.units import SourceId

#: Failures after which a fetched file is as good as before.
_NOT_THE_FILES_FAULT = frozenset(("disk_full", "disk", "crashed", "bug", "memory"))


class Retries:
    """What one run tries again. `config` is its analysis_hash, `waits` until when sources are left alone."""

    def __init__(
        self,
        config: str,
        waits: Mapping[SourceId, float],
        requests: Mapping[SourceId, ActiveRequest],
        *,
        retry_failed: bool,
        salvage: bool,
        now: float,
    ) -> None:
        self._config = config
        self._waits = waits
        self._requests = requests
        self._retry_failed = retry_failed
        self._salvage = salvage
        self._now = now

    def refusal(self, item: Item) -> MediaError | None:
        """Why a recording that failed before is not tried now; None where it is, and where it has not failed."""
        if item.status != "failed" or self._is_wanted(item):
            return None
        # A file that is here may do under other settings; an address that is gone stays so.
        same = item.config_hash == self._config or not (item.path and Path(item.path).is_file())
        if item.failure in ("gone", "bug") and same:
            return MediaError(item.reason_code, item.reason, "gone" if item.failure == "gone" else "bug")
        if item.reason_code in SALVAGEABLE and not self._salvage and same:
            return MediaError(item.reason_code, item.reason)
        until = self._waits.get(item.source_id, 0.0)
        if item.failure == "defer" and self._now < until:
            after = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return MediaError(item.reason_code, f"{item.reason} (asked again after {after})", "defer")
        return None

    def fetches_anew(self, item: Item) -> bool:
        """Only on demand, and only where the file may be at fault: what was fetched once is not thrown away."""
        salvaging = self._salvage and item.reason_code in SALVAGEABLE
        spoilt = item.status == "failed" and not salvaging and item.reason_code not in _NOT_THE_FILES_FAULT
        return spoilt and self._is_wanted(item)

    def _is_wanted(self, item: Item) -> bool:
        return self._retry_failed or self._requests.get(item.source_id) == "retry"
