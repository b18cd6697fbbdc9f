"""What the configuration asks of a password: length, kinds, memory, age, and that nobody lost it before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from access import breached, login, users
from access.breached import is_breached
from access.passwords import DEFAULT, Policy, check_password
from access.sessions import Limits
from records.errors import UserError
from storage.state import writing
from tests.access.conftest import AT, PASSWORD

LOST = ["Summer-2026", "Frost-River-2026", "密码-Abc-123", "x"]


def digest(word: str) -> str:
    return hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(LOST), "utf-8")
    return path


def sorted_list(path: Path, lost: list[str], end: str = "\n") -> Path:
    path.write_text("".join(f"{one}:7{end}" for one in sorted(map(digest, lost))))
    return path


@pytest.mark.parametrize(
    ("password", "policy", "said"),
    [
        ("Frost-1234", DEFAULT, []),
        ("Frost-123", DEFAULT, ["too short"]),
        ("Frost-123", Policy(minimum_length=8), []),
        ("frostriver12", DEFAULT, ["too few kinds"]),
        ("frostriver12", Policy(minimum_classes=2), []),
        ("Frost-River-1", Policy(minimum_classes=4, minimum_length=14), ["too short"]),
        ("FrostRiver1234", Policy(minimum_classes=4), ["too few kinds"]),
    ],
)
def test_length_and_kinds(password: str, policy: Policy, said: list[str]) -> None:
    found = [one.text() for one in check_password(password, "wang", policy)]

    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_a_lost_password_is_refused_by_either_kind_of_list(words: Path, tmp_path: Path) -> None:
    digests = sorted_list(tmp_path / "sha1.txt", LOST)
    for path in (words, digests):
        found = check_password("Frost-River-2026", "wang", Policy(breached=path))
        assert [one.text() for one in found] == ["the password is in a list of passwords that others lost"]
        assert check_password("Quiet-Birch-2026", "wang", Policy(breached=path)) == []
    assert is_breached("FROST-river-2026", words)
    assert not is_breached("FROST-river-2026", digests)  # a digest knows no case


@settings(deadline=None, max_examples=60)
@given(st.sets(st.text(max_size=8), min_size=1, max_size=40), st.text(max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_halving_finds_what_reading_the_whole_list_finds(
    tmp_path_factory: pytest.TempPathFactory, lost: set[str], other: str, end: str
) -> None:
    path = sorted_list(tmp_path_factory.mktemp("lists") / "sha1.txt", sorted(lost), end)

    assert all(is_breached(one, path) for one in lost)
    assert is_breached(other, path) == (other in lost)


def test_a_list_that_cannot_be_read_stops_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot read the list"):
        check_password("Frost-River-2026", "wang", Policy(breached=tmp_path / "gone.txt"))
    long = tmp_path / "long.txt"
    long.write_text("password\n" * 10)
    monkeypatch.setattr(breached, "MOST_WORDS", 20)
    with pytest.raises(UserError, match="longer than"):
        is_breached("password", long)
    assert not is_breached("x", sorted_list(tmp_path / "one.txt", ["y"]))


@pytest.mark.parametrize(("remembered", "refused"), [(5, True), (2, False), (0, False)])
def test_how_many_passwords_are_remembered(
    engine: sa.Engine, add: Callable[[str], None], remembered: int, *, refused: bool
) -> None:
    add("wang")
    policy = Policy(remembered=remembered)

    def change(password: str, minutes: int) -> None:
        with writing(engine) as connection:
            at = AT + timedelta(minutes=minutes)
            users.set_password(connection, "wang", "wang", password, at, must_change=False, policy=policy)

    change("Quiet-Birch-2026", 1)
    change("Third-Maple-2026", 2)
    if refused:
        with pytest.raises(UserError, match="used before"):
            change(PASSWORD, 3)
    else:
        change(PASSWORD, 3)


@pytest.mark.parametrize(("days", "old", "must"), [(90, 89, False), (90, 90, True), (None, 9000, False)])
def test_a_password_past_its_life_must_be_changed_at_the_next_login(
    engine: sa.Engine, add: Callable[[str], None], days: int | None, old: int, *, must: bool
) -> None:
    add("wang")
    policy = Policy(lifetime=None if days is None else timedelta(days=days))
    at = AT + timedelta(days=old)

    opened = login.log_in(engine, "wang", PASSWORD, at, address="::1", agent="", limits=Limits(), policy=policy)

    assert opened.user.must_change is must
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT action FROM audit_log WHERE action = 'user.password_expired'")).all()
    assert len(rows) == must
