"""Logging in: locks, limits, and answers that tell a stranger nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from access import audit, first_run, lockout, login, passwords, sessions, users
from access.login import LockedError, LoginError
from access.sessions import Limits
from access.tables import audit_log, user_session
from records.errors import UserError
from storage.state import reading, writing

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PASSWORD = "Frost-River-2026"
LIMITS = Limits()
SECOND = timedelta(seconds=1)


def enter(
    engine: sa.Engine, name: str = "wang", password: str = PASSWORD, at: datetime = AT, address: str = "10.0.0.1"
) -> login.Login:
    return login.log_in(engine, name, password, at, address=address, agent="test", limits=LIMITS)


def fail(engine: sa.Engine, times: int, name: str = "wang", address: str = "10.0.0.1", at: datetime = AT) -> None:
    for _ in range(times):
        with pytest.raises(LoginError):
            enter(engine, name, "wrong", at, address)


def alive(engine: sa.Engine, cookie: str, at: datetime) -> bool:
    with reading(engine) as connection:
        return sessions.find_session(connection, cookie, at, LIMITS) is not None


def test_right_password_opens_a_session(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    opened = enter(engine)
    assert (opened.user.name, opened.user.login_at, alive(engine, opened.cookie, AT)) == ("wang", AT, True)


def test_the_table_does_not_hold_the_cookie(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    cookie = enter(engine).cookie
    with reading(engine) as connection:
        assert cookie not in str(connection.execute(sa.select(user_session)).all())


def test_unknown_name_and_wrong_password_say_the_same(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    said = []
    for name in ("wang", "nobody"):
        with pytest.raises(LoginError) as caught:
            enter(engine, name, "wrong")
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


def test_an_unknown_name_costs_a_hash_too(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(login, "matches", lambda stored, _password: compared.append(stored) or False)
    with pytest.raises(LoginError):
        enter(engine, "nobody")
    assert compared == [passwords.dummy_hash()]


def test_five_failures_lock_the_account_for_fifteen_minutes(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    fail(engine, 4)
    enter(engine)  # forgets the four
    fail(engine, 5)
    with pytest.raises(LockedError) as caught:
        enter(engine)
    assert caught.value.until == AT + lockout.LOCK
    with pytest.raises(LockedError):
        enter(engine, at=AT + lockout.LOCK - SECOND)
    assert enter(engine, at=AT + lockout.LOCK).user.name == "wang"


def test_failures_far_apart_do_not_add_up(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    fail(engine, 4)
    later = AT + lockout.LOCK
    fail(engine, 1, at=later)
    assert enter(engine, at=later).user.name == "wang"


def test_twenty_failures_lock_an_address(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    for number in range(20):
        fail(engine, 1, name=f"guess{number}")
    with pytest.raises(LockedError):
        enter(engine)
    assert enter(engine, address="10.0.0.2").user.name == "wang"


def test_unlocking_lets_the_user_in_at_once(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    fail(engine, 5)
    with writing(engine) as connection:
        users.set_locked(connection, "admin", "wang", AT, locked=False)
    assert enter(engine).user.name == "wang"


def test_locking_a_user_ends_the_sessions(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    cookie = enter(engine).cookie
    with writing(engine) as connection:
        users.set_locked(connection, "admin", "wang", AT, locked=True)
    assert not alive(engine, cookie, AT)
    fail(engine, 1)


@pytest.mark.parametrize(
    ("after", "lives"),
    [
        pytest.param(LIMITS.idle - SECOND, True, id="used lately"),
        pytest.param(LIMITS.idle, False, id="idle too long"),
    ],
)
def test_idle_limit(engine: sa.Engine, add: Callable[[str], None], after: timedelta, *, lives: bool) -> None:
    add("wang")
    assert alive(engine, enter(engine).cookie, AT + after) is lives


def test_absolute_limit_holds_for_a_busy_session(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    opened = enter(engine)
    end = AT + LIMITS.absolute
    with writing(engine) as connection:
        sessions.touch(connection, opened.session, end - SECOND)
    assert (alive(engine, opened.cookie, end - SECOND), alive(engine, opened.cookie, end)) == (True, False)


def test_a_fourth_session_ends_the_oldest(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    cookies = [enter(engine, at=AT + number * SECOND).cookie for number in range(4)]
    assert [alive(engine, one, AT + 4 * SECOND) for one in cookies] == [False, True, True, True]


def test_a_new_password_ends_all_sessions_and_may_not_come_back(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    cookie = enter(engine).cookie
    for number in range(passwords.DEFAULT.remembered - 1):
        old, new = (PASSWORD if number == 0 else f"Other-Lake-{number - 1}a"), f"Other-Lake-{number}a"
        login.change_password(engine, "wang", old, new, AT + number * SECOND, address="10.0.0.1")
    assert not alive(engine, cookie, AT)
    last = f"Other-Lake-{passwords.DEFAULT.remembered - 2}a"
    with pytest.raises(UserError, match="used before"):
        login.change_password(engine, "wang", last, PASSWORD, AT + timedelta(minutes=1), address="10.0.0.1")


@pytest.mark.parametrize(
    ("password", "problems"),
    [
        pytest.param("Frost-River-2026", [], id="good"),
        pytest.param("Short-1", ["the password is too short or too long"], id="short"),
        pytest.param("x" * 257 + "A1", ["the password is too short or too long"], id="endless"),
        pytest.param("alllowercase", ["the password mixes too few kinds of characters"], id="one kind"),
        pytest.param("Wang-River-2026", ["the password contains the user name"], id="with the name"),
        pytest.param("Admin@123456", ["the password is a well-known one"], id="well known"),
        pytest.param(
            "admin123",
            [
                "the password is too short or too long",
                "the password mixes too few kinds of characters",
                "the password is a well-known one",
            ],
            id="all at once",
        ),
    ],
)  # fmt: skip
def test_password_rules(password: str, problems: list[str]) -> None:
    assert [one.text() for one in passwords.check_password(password, "wang")] == problems


def test_every_attempt_is_audited(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    fail(engine, 5)
    with pytest.raises(LockedError):
        enter(engine)
    enter(engine, at=AT + lockout.LOCK)
    with reading(engine) as connection:
        found = connection.execute(
            sa.select(audit_log.c.action, audit_log.c.outcome).order_by(audit_log.c.number)
        ).all()
    logins = [outcome for action, outcome in found if action == "session.login"]
    assert logins == ["failure"] * 5 + ["refused", "success"]
    assert audit.verify(engine) == []


@pytest.mark.parametrize("demo", [True, False])
def test_first_admin_gets_a_password_once(engine: sa.Engine, *, demo: bool) -> None:
    password = first_run.ensure_admin(engine, AT, demo=demo)
    assert password is not None
    assert first_run.ensure_admin(engine, AT, demo=demo) is None
    assert passwords.check_password(password.reveal(), "admin") == []
    assert enter(engine, "admin", password.reveal()).user.must_change is not demo
