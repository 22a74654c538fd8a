"""The documentation of the command line and the command line say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from usearch.cli.app import LazyCommands
from usearch.errors import ExitCode
from usearch.settings import SETTINGS

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## usearch (\w+)\n(.*?)(?=^## |\Z)", CLI, re.DOTALL | re.MULTILINE))


def options_of(name):
    """Long names of a command's options and those of its own commands, both forms of a flag."""
    command = LazyCommands()[name]
    params = [
        *command.params,
        *(p for c in getattr(command, "commands", {}).values() for p in c.params),
    ]
    names = {opt for p in params for opt in (*p.opts, *p.secondary_opts) if opt.startswith("--")}
    return names - {"--help"}


def test_every_command_has_a_section_and_every_section_a_command():
    assert set(SECTIONS) == set(LazyCommands())


@pytest.mark.parametrize("name", list(LazyCommands()))
def test_the_section_of_a_command_names_its_options_and_no_others(name):
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", SECTIONS[name]))
    assert options_of(name) == documented & options_of(name)
    elsewhere = {option for other in LazyCommands() for option in options_of(other)}
    assert documented <= options_of(name) | elsewhere


def test_the_page_on_settings_lists_every_setting_with_its_variable():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*?\| `(USEARCH_\w+)` \|", page, re.MULTILINE)
    assert rows == [(name, setting.variable) for name, setting in SETTINGS.items()]


def test_every_exit_code_is_documented():
    table = CLI[CLI.index("**Exit codes**") : CLI.index("**Errors**")]
    assert {int(code) for code in re.findall(r"\b\d+\b", table.split("So `if")[0])} >= set(ExitCode)


def test_links_between_pages_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
        for target in re.findall(r'src="([^"]+)"', text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
