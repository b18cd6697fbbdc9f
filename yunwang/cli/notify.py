"""``yw notify``: channels, tests, the delivery log (CONTRACT §8)."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import UnreachableError, UsageError, UserError, filled
from records.instants import now
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from access.audit import Outcome
    from notify.log import Delivery
    from notify.notice import Notice, Receipt, Why
    from notify.states import State

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

COLUMNS = ("id", "at", "channel", "alert", "state", "tries", "why")
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]


@app.command("ls")
def ls(
    state: Annotated[str, typer.Option("--state", help="only what stands there")] = "",
    channel: Annotated[str, typer.Option("--channel", help="only of this channel")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="most rows")] = 200,
) -> None:
    """The delivery log, newest first."""
    from notify import log  # noqa: PLC0415 - the state database on first use
    from storage.state import reading  # noqa: PLC0415

    asked = _state(state)
    with reading(open_site().state) as connection:
        found = log.ls(connection, state=asked, channel=channel or None, limit=limit)
    emit([as_json(one) for one in found], columns=COLUMNS)


def _state(text: str) -> State | None:
    from notify.states import State  # noqa: PLC0415 - beside its only use

    if text and text not in set(State):
        known = ", ".join(State)
        raise UsageError("unknown state '{state}'", "known here: {known}", where="--state", state=text, known=known)
    return State(text) if text else None


def as_json(one: Delivery) -> dict[str, Any]:
    """All of a delivery; its reason in the reader's language."""
    return {name: getattr(one, name) for name in one.__slots__} | {"why": _told(one.why)}


def _told(why: Why | None) -> str | None:
    return None if why is None else filled(why.template, why.values, translate)


@app.command("channels")
def channels() -> None:
    """The configured channels; addresses without their tokens."""
    from notify.channels.kinds import KINDS, masked  # noqa: PLC0415 - beside its only use

    rows = []
    for name, one in open_site().settings.notify.items():
        kind = KINDS[one.kind]
        limit = one.per_minute or kind.per_minute
        row = {"channel": name, "kind": one.kind, "url": masked(one.url), "per_minute": limit}
        rows.append({**row, "dedupes": kind.dedupes or one.dedupes, "verified": kind.verified})
    emit(rows, columns=("channel", "kind", "url", "per_minute", "dedupes", "verified"))


@app.command("test")
def try_channel(
    name: Annotated[str, typer.Argument(help="a channel, see `yw notify channels`")], dry_run: DryRun = False
) -> None:
    """Send a test notice through one channel at once, and tell what happened."""
    from notify.notice import Delivered, Retry  # noqa: PLC0415 - beside its only use

    site = open_site()
    one = _test_notice(site, name)
    if dry_run:
        emit({"channel": name, "outcome": None, "title": one.title, "seconds": None, "why": None})
        return
    started = time.monotonic()
    receipt = _send(site, name, one)
    _keep(site, name, one, receipt)
    why = _told(receipt.note if isinstance(receipt, Delivered) else receipt.why)
    seconds = round(time.monotonic() - started, 3)
    outcome = type(receipt).__name__.lower()
    emit({"channel": name, "outcome": outcome, "title": one.title, "seconds": seconds, "why": why})
    if isinstance(receipt, Retry):
        raise UnreachableError(
            "channel '{name}' did not take the test: {why}",
            "check its address, and that it answers from here",
            where=f"notify.{name}",
            name=name,
            why=why,
        )
    if not isinstance(receipt, Delivered):
        advice = "check the keys of [notify.{name}], its secret and its address"
        raise UserError("channel '{name}' refused the test: {why}", advice, where=f"notify.{name}", name=name, why=why)


def _test_notice(site: Site, name: str) -> Notice:
    from notify.notice import Notice  # noqa: PLC0415 - beside its only use
    from records.alarms import Level  # noqa: PLC0415

    known = site.settings.notify
    if name not in known:
        names = ", ".join(known) or "-"
        raise UserError("there is no channel '{name}'", "known here: {known}", where=name, name=name, known=names)
    identifier, title = f"test:{uuid.uuid4().hex}", "云网通知渠道测试"
    body = (f"渠道：{name}", "收到本条即表示该渠道可用，无需处理。")
    return Notice(id=identifier, at=now(), key=identifier, kind="test", level=Level.LOW, title=title, body=body)


def _send(site: Site, name: str, one: Notice) -> Receipt:
    from notify.notice import Message  # noqa: PLC0415 - beside its only use
    from yunwang.notifying import channels as opened  # noqa: PLC0415

    return opened(site)[name].send(Message(id=one.id.removeprefix("test:"), notices=(one,)))


def _keep(site: Site, name: str, one: Notice, receipt: Receipt) -> None:
    from access.audit import record  # noqa: PLC0415 - the state database on first use
    from notify.log import keep_test  # noqa: PLC0415
    from notify.notice import Delivered  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    with writing(site.state) as connection:
        found = keep_test(connection, one, name, receipt, now())
        taken = isinstance(receipt, Delivered)
        outcome: Outcome = "success" if taken else "failure"
        record(connection, site.actor, "notify.test", name, outcome, {"delivery": found.id}, now())


@app.command("ack")
def ack(
    alerts: Annotated[list[str], typer.Argument(metavar="ALERT", help="ids of alerts, see `yw soc alerts`")],
    dry_run: DryRun = False,
) -> None:
    """Take alerts on oneself: what was to be escalated is not."""
    from access.audit import record  # noqa: PLC0415 - the state database on first use
    from notify.outbox import acknowledge, known_alerts  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    site, at = open_site(), now()
    with writing(site.state) as connection:
        unknown = sorted(set(alerts) - known_alerts(connection, alerts))
        if unknown:
            names = ", ".join(unknown)
            raise UserError(
                "nobody was told of alert {names}", "list them with `yw notify ls`", where=names, names=names
            )
        stopped = acknowledge(connection, alerts, at, site.actor)
        for one in alerts:
            record(connection, site.actor, "notify.acknowledge", one, "success", {}, at)
        if dry_run:
            connection.rollback()
    emit({"alerts": alerts, "stopped": stopped})
