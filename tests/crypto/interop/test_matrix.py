"""``docs/reference/interop.md`` is what these tests show: written with ``YW_WRITE=1``, compared otherwise."""

from __future__ import annotations

import os

import pytest

from tests.crypto.interop.cells import ARTEFACTS, PEERS, Cell, Way, claimed
from tests.crypto.interop.conftest import PASSED
from tests.crypto.interop.reasons import NOTES, REASONS
from tests.peers.base import MissingError, Peer
from tests.running import ROOT

PAGE = ROOT / "docs" / "reference" / "interop.md"
SYMMETRIC = {"SM3", "HMAC-SM3"}  # no reader and no writer: the values are equal
HEAD = """# Interoperability

Written by `YW_WRITE=1 .venv/bin/python -m pytest tests/crypto/interop`, which runs every cell; CI compares.
`⇄` both ways, `→` the peer reads what Yunwang writes, `←` Yunwang reads what the peer writes, `=` equal values, `–` not offered; a number leads to the reason.
Every cell is also run with changed data, another key or another root, which must be refused.
`tests/peers/build.sh` builds the peers of columns 2 to 6; the others are the system's `openssl` and the locked Python packages.

"""


def show(artefact: str, ways: set[Way]) -> str:
    if artefact in SYMMETRIC and ways:
        return "="
    return {frozenset(): "–", frozenset(Way): "⇄"}.get(frozenset(ways), "".join(ways))


def column(peer: type[Peer], cells: set[Cell]) -> dict[str, str]:
    """What one peer's cells show, by artefact."""
    ways = {one: {cell.way for cell in cells if (cell.artefact, cell.peer) == (one, peer.name)} for one in ARTEFACTS}
    return {one: show(one, found) for one, found in ways.items()}


def render(columns: dict[str, dict[str, str]]) -> str:
    reasons: list[str] = []
    rows = ["| artefact | " + " | ".join(one.title for one in PEERS) + " |", "|---|" + ":-:|" * len(PEERS)]
    for artefact in ARTEFACTS:
        row = [
            _numbered(columns[one.name].get(artefact, "–"), REASONS.get((artefact, one.name)), reasons) for one in PEERS
        ]
        rows.append(f"| {artefact} | " + " | ".join(row) + " |")
    told = [f"{number}. {reason}." for number, reason in enumerate(reasons, 1)]
    notes = [f"- {one.title}: {NOTES[one.name]}" for one in PEERS if one.name in NOTES]
    return HEAD + "\n".join([*rows, "", "Reasons:", "", *told, "", "To know:", "", *notes]) + "\n"


def _numbered(cell: str, reason: str | None, reasons: list[str]) -> str:
    if reason is None or cell in {"⇄", "="}:
        return cell
    if reason not in reasons:
        reasons.append(reason)
    return f"{cell} {reasons.index(reason) + 1}"


def read_page() -> dict[str, dict[str, str]]:
    """The columns as they stand, without numbers."""
    rows = [line.strip("| ").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    names = {one.title: one.name for one in PEERS}
    found: dict[str, dict[str, str]] = {}
    for at, title in enumerate(rows[0][1:], 1):
        if title.strip() in names:
            found[names[title.strip()]] = {row[0].strip(): row[at].split()[0] for row in rows[1:]}
    return found


def is_here(peer: type[Peer]) -> bool:
    try:
        peer.find()
    except MissingError:
        return False
    return True


def test_every_cell_has_a_test_or_a_reason_and_not_one_too_many() -> None:
    cells, full = claimed(), {frozenset(Way)}
    wrong = []
    for artefact in ARTEFACTS:
        for peer in PEERS:
            ways = frozenset(one.way for one in cells if (one.artefact, one.peer) == (artefact, peer.name))
            whole = ways in full or (artefact in SYMMETRIC and bool(ways))
            if whole == ((artefact, peer.name) in REASONS):
                wrong.append((artefact, peer.name, sorted(ways)))
    assert wrong == []


def test_the_page_is_what_was_run(pytestconfig: pytest.Config) -> None:
    """A peer that is not here leaves its column as it is."""
    cells, here = claimed(), [one for one in PEERS if is_here(one)]
    if os.environ.get("YW_WRITE"):
        passed = pytestconfig.stash.get(PASSED, {})
        open_ = [one for one in cells if one.peer in {peer.name for peer in here} and not passed.get(one)]
        assert open_ == [], "not run, or failed: run tests/crypto/interop whole, without -n"
        kept = read_page() if PAGE.exists() else {}
        columns = {one.name: column(one, cells) if one in here else kept.get(one.name, {}) for one in PEERS}
        PAGE.write_text(render(columns), "utf-8")
    page = read_page()
    assert {one.name: page.get(one.name) for one in here} == {one.name: column(one, cells) for one in here}
    assert PAGE.read_text("utf-8") == render(page)
