"""An inventory from its files, checked as a whole (CONTRACT §2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inventory.checking import check
from inventory.model import SECTIONS, Inventory
from inventory.nodes import Item, compose, read_files
from inventory.reading import SECTION_RECORDS, read_record
from records.errors import Problem, UserError


def examine(path: Path) -> tuple[Inventory, list[Problem]]:
    """All that could be read and all that is wrong; raises UserError only if the path cannot be read."""
    roots, problems = read_files(path)
    return _assemble(roots, problems)


def load(path: Path) -> Inventory:
    """The inventory of a file or folder; raises UserError with all problems."""
    return _sound(*examine(path))


def parse(text: str, name: str = "inventory") -> Inventory:
    """The inventory of one document's text (YAML or JSON); raises UserError with all problems."""
    root = compose(text, name)
    if isinstance(root, Problem):
        raise UserError.of([root])
    return _sound(*_assemble([root], []))


def _sound(inventory: Inventory, problems: list[Problem]) -> Inventory:
    if problems:
        raise UserError.of(problems)
    return inventory


@dataclass(slots=True)
class _Found:
    """What was read so far.

    Attributes:
        records: By section, in file order.
        broken: Ids of records that could not be read, by section: a reference to them is no second fault.
        places: ``id(record)`` to ``FILE:LINE``.
    """

    records: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    broken: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SECTIONS})
    places: dict[int, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def _assemble(roots: list[Item], problems: list[Problem]) -> tuple[Inventory, list[Problem]]:
    found = _Found(problems=problems)
    for root in roots:
        _read_root(root, found)
    inventory = Inventory(**{name: tuple(records) for name, records in found.records.items()})
    found.problems += check(inventory, found.places, found.broken)
    return inventory, sorted(found.problems, key=_line)


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)


def _read_root(root: Item, found: _Found) -> None:
    pairs = list(root.pairs() or ())
    report = found.problems.append
    if not any(key.text() == "yunwang" and value.text() == "1" for key, value in pairs):
        report(Problem("this is no inventory: `yunwang: 1` is missing", "begin the file with `yunwang: 1`", root.where))
    seen: set[str] = set()
    for key, value in pairs:
        name = key.text() or ""
        if name in seen:
            report(Problem("section '{key}' stands twice in the file", "join the two", key.where, {"key": name}))
        elif name in SECTION_RECORDS:
            _read_section(name, value, found)
        elif name != "yunwang":
            values = {"key": name, "known": ", ".join(SECTIONS)}
            report(Problem("unknown key '{key}'", "known here: {known}", key.where, values))
        seen.add(name)


def _read_section(name: str, value: Item, found: _Found) -> None:
    members = value.items()
    if members is None:
        if not value.is_null:
            problem = Problem(
                "section '{key}' must be a list", "write one `- {{…}}` for each", value.where, {"key": name}
            )
            found.problems.append(problem)
        return
    for member in members:
        record = read_record(SECTION_RECORDS[name], member, found.problems.append)
        if record is None:
            found.broken[name] |= {
                str(item.text()) for key, item in member.pairs() or () if key.text() in {"id", "code"}
            }
        else:
            found.records[name].append(record)
            found.places[id(record)] = member.where
