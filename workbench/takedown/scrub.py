"""What pages and commands wrote down of a recording beside the study's tables, taken away when it is withdrawn.

Pasted tables of sources lose its row. In what jobs said (`jobs/`) and in what is told of runs (`logs/`) the title that
a site gave it is put out, and of rows about it what they say. Its id stays: that is how its tombstone is known.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.atomic_write import write_text
from pipelines.study import Study
from pipelines.units import SourceId
from workbench.jobs.jobs import is_held

WITHDRAWN = "(withdrawn)"
#: A title shorter than this is put out only where it stands alone: `It` is in every sentence.
_SHORTEST = 4


@dataclass(frozen=True)
class Traces:
    """How a recording may be named: by its id, its addresses and file names (`uris`), its titles."""

    source_id: SourceId
    uris: frozenset[str]
    titles: frozenset[str]

    def wipe(self, study: Study) -> tuple[int, tuple[str, ...]]:
        """Take them away. Returns how many files changed, and jobs that run and may write more: those are left alone.

        May be done twice. Raises OSError.
        """
        changed = sum(self._table(file) for file in sorted((study.cache / "asked").glob("*/*.csv")))
        running = []
        for folder in sorted(file.parent for file in study.jobs.glob("*/job.json")):
            if is_held(folder):
                running.append(folder.name)
            else:
                changed += sum(self._file(file) for file in sorted(folder.iterdir()) if file.name != "lock")
        changed += sum(self._file(file) for file in sorted((study.private / "logs").glob("*")))
        return changed, tuple(running)

    def _table(self, file: Path) -> bool:
        """A table that somebody pasted: without the recording's rows, or gone where nothing else is in it."""
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        try:
            header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        except (csv.Error, ValueError):
            header, rows = [], [[line] for line in text.splitlines()]
        staying = [row for row in rows if not any(self._is_it(cell) for cell in row)]
        if len(staying) == len(rows):
            return False
        if not staying or not header:
            shutil.rmtree(file.parent)
            return True
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([header, *staying])
        return write_text(file, out.getvalue())

    def _is_it(self, cell: str) -> bool:
        text = cell.strip()
        named = text == self.source_id or text in self.uris or Path(text).name in self.uris
        return named or self._said(text) != text

    def _file(self, file: Path) -> bool:
        if not file.is_file():
            return False
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".json":
            clean = self._json(text, indent=2)
        elif file.suffix == ".jsonl":
            clean = "".join(self._json(line) for line in text.splitlines(keepends=True))
        else:
            clean = self._said(text)
        return clean != text and write_text(file, clean)

    def _json(self, text: str, indent: int | None = None) -> str:
        """The document without what is to go; as it was, to the byte, where nothing is."""
        try:
            document = json.loads(text)
        except ValueError:  # torn, or empty
            return self._said(text)
        clean = self._cleaned(document)
        if clean == document:
            return text
        return json.dumps(clean, ensure_ascii=False, indent=indent) + "\n"

    def _cleaned(self, document: Any) -> Any:
        if isinstance(document, str):
            return self._said(document)
        if isinstance(document, list):
            return [self._cleaned(one) for one in document]
        if not isinstance(document, dict):
            return document
        found = {name: self._cleaned(one) for name, one in document.items()}
        if found.get("source_id") == self.source_id or found.get("input") in self.uris:
            told = {"reason": WITHDRAWN, "input": self.source_id, "video": "", "title": ""}
            found |= {name: said for name, said in told.items() if found.get(name)}
        return found

    def _said(self, text: str) -> str:
        for title in sorted(self.titles - {""}, key=len, reverse=True):
            if len(title) < _SHORTEST:
                text = WITHDRAWN if text == title else text
            else:
                text = re.sub(rf"(?<!\w){re.escape(title)}(?!\w)", WITHDRAWN, text)
        return text


def traces(source_id: SourceId, uris: Iterable[str], titles: Iterable[str]) -> Traces:
    """Of a recording known so; empty names are left out."""
    return Traces(source_id, frozenset(uris) - {""}, frozenset(_lines(titles)))


def _lines(titles: Iterable[str]) -> Iterator[str]:
    """Titles as they are, and as they stand where they were put on one line."""
    for title in titles:
        if title.strip():
            yield from (title.strip(), " ".join(title.split()))
