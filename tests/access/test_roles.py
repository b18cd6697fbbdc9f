"""Roles, scopes, tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from access import tokens, users
from access.ownership import owners
from access.roles import ADMINISTRATORS, Capability, Role
from access.scope import EVERYWHERE, NOWHERE, Scope, owners_of_entities
from access.tables import audit_log, user_role
from inventory.loading import load
from inventory.model import Inventory, Organisation
from records.errors import RefusedError, UserError
from storage.port import Where
from storage.state import reading, writing

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PROVINCE = Path(__file__).parents[2] / "lab" / "province" / "province.yaml"


def granted(engine: sa.Engine, role: Role, organisations: list[str] | None) -> users.User:
    with writing(engine) as connection:
        users.grant(connection, "sec", "wang", role, AT, organisations=organisations)
        found = users.find_user(connection, "wang")
    assert found is not None
    return found


def test_a_new_account_may_nothing(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    with reading(engine) as connection:
        user = users.find_user(connection, "wang")
    assert user is not None
    assert [one for one in Capability if user.scope(one) is not None] == []


@pytest.mark.parametrize(("first", "second"), list(permutations(sorted(ADMINISTRATORS), 2)))
def test_the_three_administrators_exclude_each_other(
    engine: sa.Engine, add: Callable[[str], None], first: Role, second: Role
) -> None:
    add("wang")
    granted(engine, first, None)
    with pytest.raises(RefusedError, match="exclude each other"):
        granted(engine, second, None)


def test_the_database_holds_the_exclusion_too(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    granted(engine, Role.SYSADMIN, None)
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(sa.insert(user_role).values(user="wang", role="secadmin", everywhere=True))


def test_a_role_counts_for_its_organisations_only(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    granted(engine, Role.NETADMIN, ["a"])
    user = granted(engine, Role.BILLING, ["b", "c"])
    assert user.scope(Capability.LINKS_READ) == Scope(frozenset({"a"}))
    assert user.scope(Capability.BILLS_READ) == Scope(frozenset({"b", "c"}))
    assert user.scope(Capability.RULES_READ) is None


def test_what_belongs_to_nobody_needs_a_role_everywhere(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    assert granted(engine, Role.AUDITOR, ["a"]).scope(Capability.AUDIT_LOG_READ) is None
    assert granted(engine, Role.AUDITOR, None).scope(Capability.AUDIT_LOG_READ) == EVERYWHERE


def test_granting_again_replaces_and_revoking_removes(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    granted(engine, Role.BUREAU, ["a"])
    assert granted(engine, Role.BUREAU, ["b"]).roles == {Role.BUREAU: Scope(frozenset({"b"}))}
    with writing(engine) as connection:
        users.revoke(connection, "sec", "wang", Role.BUREAU, AT)
        user = users.find_user(connection, "wang")
    assert user is not None
    assert user.roles == {}


SCOPES = st.one_of(st.just(EVERYWHERE), st.frozensets(st.sampled_from("abcde")).map(Scope))


@given(scope=SCOPES, other=SCOPES, owner=st.sets(st.sampled_from("abcde")))
def test_union_admits_what_either_admits(scope: Scope, other: Scope, owner: set[str]) -> None:
    assert (scope | other).admits(owner) == (scope.admits(owner) or other.admits(owner))


@given(scope=SCOPES, owner=st.lists(st.sampled_from("abcde"), max_size=20))
def test_sql_and_memory_agree(scope: Scope, owner: list[str]) -> None:
    table = sa.Table("thing", sa.MetaData(), sa.Column("org", sa.Text))
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        if owner:
            connection.execute(sa.insert(table), [{"org": one} for one in owner])
        found = connection.execute(scope.statement(sa.select(table.c.org), table.c.org)).scalars().all()
    assert sorted(found) == sorted(scope.rows(owner, lambda one: (one,)))


def test_record_store_conditions() -> None:
    assert EVERYWHERE.where("org") == ()
    assert Scope(frozenset({"b", "a"})).where("org") == (Where("org", "in", ("a", "b")),)


def test_what_has_no_organisation_is_seen_by_those_who_see_all() -> None:
    assert (EVERYWHERE.admits([]), Scope(frozenset({"a"})).admits([None]), NOWHERE.admits(["a"])) == (
        True,
        False,
        False,
    )


def test_a_scope_reaches_the_organisations_below() -> None:
    organisations = [("a", None), ("b", "a"), ("c", "b"), ("d", None), ("e", "f"), ("f", "e")]  # e and f in a circle
    inventory = Inventory(
        organisations=tuple(
            Organisation(id=one, name=one, region="230000", parent=parent) for one, parent in organisations
        )
    )
    assert Scope(frozenset({"a"})).widened(inventory) == Scope(frozenset({"a", "b", "c"}))
    assert EVERYWHERE.widened(inventory) == EVERYWHERE


def test_links_and_devices_belong_to_the_bureaus_behind_them() -> None:
    inventory = load(PROVINCE)
    found = owners(inventory)
    site = inventory.sites[0]
    link = inventory.links_of_group[site.group][0]
    assert site.organisation in found["link"][link.id]
    assert all(site.organisation in found["device"][end.device] for end in (link.a, link.b) if end)
    assert owners_of_entities({"link": link.id, "user": "root"}, found) == set(found["link"][link.id])
    assert owners_of_entities({"org": ("x", "y"), "tenant": "no such"}, found) == {"x", "y"}


def make_token(engine: sa.Engine, **fields: object) -> tuple[str, tokens.Token]:
    with writing(engine) as connection:
        return tokens.new_token(connection, "admin", "wang", AT, **{"lifetime": timedelta(days=30), **fields})  # type: ignore[arg-type]  # any field


def find(engine: sa.Engine, text: str, at: datetime = AT) -> tokens.Token | None:
    with reading(engine) as connection:
        return tokens.find_token(connection, text, at)


def test_token_is_found_until_it_ends(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    text, token = make_token(engine, scopes=[Capability.LINKS_READ])
    assert find(engine, text) == token
    assert token.scopes == {Capability.LINKS_READ}
    assert find(engine, text, token.expires_at) is None


@pytest.mark.parametrize(
    "spoil",
    [lambda text: text[:-1] + "!", lambda text: text[:-1], lambda text: text.replace("yw_", "xx_"), lambda _text: ""],
    ids=["letter", "short", "prefix", "empty"],
)
def test_a_spoilt_token_is_none(engine: sa.Engine, add: Callable[[str], None], spoil: Callable[[str], str]) -> None:
    add("wang")
    assert find(engine, spoil(make_token(engine)[0])) is None


def test_another_secret_with_a_known_id_is_none(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    text = make_token(engine)[0]
    assert find(engine, text[: text.rindex("_") + 1] + "A" * 40) is None


def test_a_revoked_token_is_none_and_the_secret_is_nowhere(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    text, token = make_token(engine)
    with writing(engine) as connection:
        tokens.revoke_token(connection, "admin", token.id, AT)
        kept = str(connection.execute(sa.select(tokens.api_token)).all()) + str(
            connection.execute(sa.select(audit_log)).all()
        )
    assert find(engine, text) is None
    assert text.rsplit("_", 1)[1] not in kept


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=367)])
def test_a_token_lives_at_most_a_year(engine: sa.Engine, add: Callable[[str], None], lifetime: timedelta) -> None:
    add("wang")
    with pytest.raises(UserError, match="at most"):
        make_token(engine, lifetime=lifetime)


@pytest.mark.parametrize("name", ["", "A", "Wang", "王", "a b", "x" * 33, "-x"])
def test_malformed_names_are_refused(engine: sa.Engine, name: str) -> None:
    with pytest.raises(UserError, match="no user name"), writing(engine) as connection:
        users.add_user(connection, "admin", name, "Frost-River-2026", AT)


def test_a_name_is_given_once(add: Callable[[str], None]) -> None:
    add("wang")
    with pytest.raises(UserError, match="exists already"):
        add("wang")


@pytest.mark.parametrize(
    ("addresses", "admitted", "refused"),
    [
        ([], ["10.1.2.3", "::1", "not an address"], []),
        (["10.1.0.0/16"], ["10.1.2.3", "::ffff:10.1.2.3"], ["10.2.0.1", "::1", "", "unix"]),
        (["10.1.2.3", "2001:db8::/32"], ["10.1.2.3", "2001:db8::7"], ["10.1.2.4", "2001:db9::1"]),
        (["10.1.2.3/16"], ["10.1.255.255"], ["10.0.255.255"]),
    ],
)
def test_a_token_with_addresses_is_admitted_from_there_alone(
    engine: sa.Engine, add: Callable[[str], None], addresses: list[str], admitted: list[str], refused: list[str]
) -> None:
    add("wang")
    text, _ = make_token(engine, addresses=addresses)
    token = find(engine, text)

    assert token is not None
    assert [one for one in admitted if not token.admits(one)] == []
    assert [one for one in refused if token.admits(one)] == []


def test_what_is_no_network_is_told_all_at_once(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    with pytest.raises(UserError) as caught:
        make_token(engine, addresses=["10.1.0.0/99", "here", "10.0.0.1"])
    assert [one.text() for one in caught.value.problems] == [
        "'10.1.0.0/99' is no address and no network",
        "'here' is no address and no network",
    ]


def test_the_newest_use_says_where_it_came_from(engine: sa.Engine, add: Callable[[str], None]) -> None:
    add("wang")
    text, token = make_token(engine)
    assert token.used_from is None
    with writing(engine) as connection:
        tokens.touch(connection, token, "10.1.2.3", AT)
    used = find(engine, text)
    assert used is not None
    assert (used.used_from, used.used_at) == ("10.1.2.3", AT)
