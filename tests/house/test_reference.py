"""``docs/reference/commands.md`` is the CLI's own help, made again by this test; YW_WRITE=1 writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from typer import _click as click
from typer.core import TyperGroup

from tests.running import ROOT
from yunwang.cli import tree

PAGE = ROOT / "docs" / "reference" / "commands.md"
NAMES = [*tree.COMMANDS, *tree.GROUPS]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is English, whatever language the developer reads."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def commands(name: str, command: click.Command, above: click.Context | None = None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, info_name=f"yw {name}" if above is None else name, parent=above, terminal_width=100
    )
    if isinstance(command, TyperGroup):
        for one in command.list_commands(context):
            member = command.get_command(context, one)
            assert member is not None
            yield from commands(one, member, context)
    else:
        yield context.command_path, command.get_help(context)


def loaded(name: str) -> click.Command:
    group = tree.LazyGroup(name="yw")
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


def page() -> str:
    parts = [
        "# Commands",
        "",
        "What each command says of itself. Before or after the verb: `--data DIR`, `--config FILE`, `-o FORMAT`.",
        "",
    ]
    for name in NAMES:
        for path, text in commands(name, loaded(name)):
            parts += [f"## {path}", "", "```", text.rstrip(), "```", ""]
    return "\n".join(parts)


def test_the_page_is_what_the_commands_say() -> None:
    text = page()
    if os.environ.get("YW_WRITE"):
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, "utf-8")

    assert PAGE.read_text("utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str) -> None:
    for path, text in commands(name, loaded(name)):
        first = text.split("\n\n")[1].strip()
        assert first, path
        assert first != "Options:", path


def test_every_command_is_named_in_a_page_for_people() -> None:
    pages = "".join(one.read_text("utf-8") for one in ROOT.glob("docs/*.md")) + (ROOT / "README.md").read_text("utf-8")
    unnamed = [path for name in NAMES for path, _ in commands(name, loaded(name)) if path not in pages]
    assert unnamed == []
