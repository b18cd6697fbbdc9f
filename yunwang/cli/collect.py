"""``yw collect``: the collectors alone, or one device once (CONTRACT §8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer

from records.errors import UnreachableError, UsageError, UserError
from yunwang.children import die_with_supervisor
from yunwang.cli.output import emit
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from collectors.snmp.poller import Poll
    from inventory.model import Device

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Collectors: pollers, listeners, cloud usage."""


@app.command("run")
def run(shard: str = typer.Option("0/1", "--shard", help="i/n: the devices of this shard only")) -> None:
    """Collect until SIGINT or SIGTERM."""
    die_with_supervisor()
    from yunwang import collecting  # noqa: PLC0415 - the collect process's own weight

    collecting.run(open_site(), _shard(shard))


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})/([1-9]\d{0,3})", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise UsageError("'{value}' is no shard", "write i/n with i < n, e.g. 0/2", where="--shard", value=text)
    return int(found[1]), int(found[2])


@app.command("once")
def once(device: str = typer.Option(..., "--device", help="id in the inventory")) -> None:
    """Poll one device now and show what it answers; nothing is stored."""
    site = open_site()
    chosen = _known(site, device)
    _check_secrets(site, chosen)
    poll = _poll(site, chosen)
    if not poll.answered:
        reason = f"{poll.failure.reason.value} {poll.failure.detail}".strip() if poll.failure else "no answer"
        advice = "check address, port and community or user with `yw inventory export`"
        raise UnreachableError("the device does not answer SNMP: {reason}", advice, where=device, reason=reason)
    emit(_shown(poll), rows=lambda found: found["readings"])


def _known(site: Site, device: str) -> Device:
    chosen = site.inventory.device.get(device)
    where = f"--device {device}"
    if chosen is None:
        raise UserError("there is no such device", "run `yw inventory export` for the known ones", where=where)
    if chosen.snmp is None:
        raise UserError("the device has no snmp in the inventory", "add it and import again", where=where)
    return chosen


def _check_secrets(site: Site, device: Device) -> None:
    """A secret that is missing or cannot be opened is told as what it is, not as a device that does not answer."""
    for reference in (device.snmp.community, device.snmp.auth_key, device.snmp.priv_key) if device.snmp else ():
        if reference:
            site.resolve(reference)


def _poll(site: Site, device: Device) -> Poll:
    import asyncio  # noqa: PLC0415 - beside its only use

    from collectors.snmp.gufo import gufo_agent  # noqa: PLC0415 - gufo on first use
    from collectors.snmp.poller import Target, poll_once  # noqa: PLC0415
    from yunwang.collecting import timing  # noqa: PLC0415

    target = Target(device=device, interfaces=site.inventory.interfaces_of_device.get(device.id, ()))

    async def ask() -> Poll:
        return await poll_once(target, gufo_agent(device, site.resolve), timing(site))

    return asyncio.run(ask())


def _shown(poll: Poll) -> dict[str, Any]:
    from collectors.snmp.readings import as_values  # noqa: PLC0415 - beside its only use

    return {"device": poll.device, "at": poll.at, "seconds": round(poll.seconds, 4), "readings": as_values(poll.rows)}
