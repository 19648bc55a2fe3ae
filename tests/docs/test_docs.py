"""The docs are read by people who type what they see: every command in them must exist, with the options shown."""

import re
import shlex
from pathlib import Path

import pytest

from workbench.app.page_registry import pages_for
from workbench.cli.main import COMMANDS, GROUPS, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "data_manifests").glob("README.md")])
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def shown_commands():
    for page in PAGES:
        for _, block in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                found = re.search(r"(?:^|uv run )(workbench .*)$", line.strip())
                if found:
                    yield pytest.param(found.group(1), id=f"{page.stem}: {found.group(1)}")


def help_of(capsys, *path):
    with pytest.raises(SystemExit) as left:
        main([*path, "--help"])
    return left.value.code, capsys.readouterr().out


@pytest.mark.parametrize("line", list(shown_commands()))
def test_a_command_in_the_docs_exists_with_its_options(capsys, line):
    words = shlex.split(line, comments=False)[1:]
    assert words[0] in COMMANDS or words[0] in GROUPS, f"no command '{words[0]}'"
    path = words[:2] if words[0] in GROUPS else words[:1]
    code, text = help_of(capsys, *path)
    assert code == 0
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", text), f"'{' '.join(path)}' has no option {option}"


def test_python_in_the_docs_compiles():
    blocks = [block for page in PAGES for language, block in FENCE.findall(page.read_text()) if language == "python"]
    assert blocks
    for block in blocks:
        compile(block, "docs", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_inside_the_project_leads_somewhere(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)\)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_documented():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in (*COMMANDS, *GROUPS) if not re.search(rf"workbench {re.escape(name)}\b", text)]
    assert not missing


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 160


def test_the_readme_gives_the_two_commands_alone_on_their_lines():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert "pip install uv && uv run workbench demo" in lines
    assert "pip install uv && uv run pytest" in lines


def test_the_curators_guide_begins_with_the_whole_way_and_names_every_page_of_theirs():
    first = (ROOT / "docs" / "curator.md").read_text(encoding="utf-8").split("\n## ")[1]
    assert first.startswith("A night, from a list to clips\n")
    pages = [page.title for pages in pages_for("curator").values() for page in pages]
    assert [title for title in pages if title not in first] == []
    for command in ("init", "ingest", "sources list", "serve", "user invite", "agreement", "release create"):
        assert f"workbench {command} " in first
