import json
import subprocess
import sys

import pytest

from tests.workbench.command_line import call
from workbench.cli.main import COMMANDS, GROUPS

HEAVY = ("streamlit", "tensorflow", "keras", "librosa", "numba", "pandas", "sqlalchemy", "matplotlib", "scipy", "av")


def imported_by(statement):
    code = f"import sys; {statement}; print(*sorted(m.split('.')[0] for m in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_help_imports_nothing_heavy():
    assert not imported_by("from workbench.cli.main import build; build()") & set(HEAVY)


def test_import_pipelines_imports_nothing_heavy():
    assert not imported_by("import pipelines") & {*HEAVY, "numpy", "pydantic"}


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_has_help(capsys, name):
    code, out, _ = call(capsys, name, "--help")
    assert code == 0
    assert out.startswith("Usage: workbench")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(capsys, name):
    _, out, _ = call(capsys, name, "--help")
    assert f"Example: workbench {name}" in out


@pytest.mark.parametrize("group", GROUPS)
def test_every_verb_shows_an_example(capsys, group):
    for command in GROUPS[group].registered_commands:
        verb = command.name or command.callback.__name__.replace("_", "-")
        code, out, _ = call(capsys, group, verb, "--help")
        assert code == 0
        assert f"Example: workbench {group} {verb}" in out


def test_a_mistake_is_one_sentence_and_exit_2(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    code, out, err = call(capsys, "init", "../x")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "is not valid" in err
    assert not any(tmp_path.iterdir())


def test_json_stays_json_when_it_goes_wrong(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    code, out, _ = call(capsys, "init", "../x", "--json")
    assert code == 2
    assert json.loads(out)["ok"] is False


def test_an_unknown_option_is_exit_2(capsys):
    code, _, err = call(capsys, "init", "night", "--jsn")
    assert code == 2
    assert "--json" in err


def test_no_arguments_show_help(capsys):
    code, _, err = call(capsys)
    assert code == 2
    assert "Commands:" in err


def test_version(capsys):
    assert call(capsys, "--version")[:2] == (0, "workbench 0.1.0\n")
