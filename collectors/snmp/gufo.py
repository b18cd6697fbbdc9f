"""The agent port on gufo-snmp: one session a device, SNMP v2c and v3.

What the library leaves to us, each seen on 0.13: no retries (the poller has them), one outstanding request a session, a
session that never recovers from an engine restart, a panic that is no ``Exception`` when a reply ends inside a length.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

from gufo.snmp import SnmpAuthError, SnmpError, SnmpVersion
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    KeyType,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    User,
)

from collectors.snmp.port import Reason, SnmpFailure, Value
from inventory.model import Device, Snmp
from records.errors import UserError
from records.secret import Secret

T = TypeVar("T")
Resolve = Callable[[str], Secret]

AUTH: Mapping[str, type[BaseAuthKey]] = {
    "md5": Md5Key,
    "sha": Sha1Key,
    "sha1": Sha1Key,
    "sha224": Sha224Key,
    "sha256": Sha256Key,
    "sha384": Sha384Key,
    "sha512": Sha512Key,
}
PRIV: Mapping[str, type[BasePrivKey]] = {
    "des": DesKey,
    "aes": Aes128Key,
    "aes128": Aes128Key,
    "aes192": Aes192Key,
    "aes256": Aes256Key,
}
V3_IDLE_SECONDS = 150.0  # RFC 3414 §2.2.3: outside this window the agent refuses our idea of its time
V3_SILENCES = 2  # after so many time-outs a v3 session is renewed
REPETITIONS = (25, 12, 6)  # of a GETBULK, halved for agents that choke on it
LONGEST_SECONDS = 60.0  # the library's own limit; the caller's ``within`` is always shorter
PANIC = "PanicException"  # pyo3_runtime, cannot be imported by name
WALK_ROWS = 20_000  # an agent that never ends its table is cut off here


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one agent is reached, secrets resolved; ``user`` is set for SNMPv3, else ``community``."""

    address: str
    port: int
    community: Secret | None = None
    user: User | None = None


@lru_cache(maxsize=4096)
def _master(algorithm: str, passphrase: Secret) -> bytes:
    """Master key of a pass phrase (RFC 3414 §A.2): a megabyte is hashed, so once for all devices that share it."""
    return AUTH[algorithm].get_master_key(passphrase.reveal().encode())


def _user(snmp: Snmp, resolve: Resolve) -> User:
    if snmp.auth is None or snmp.auth_key is None:
        return User(snmp.user or "")
    auth = AUTH[snmp.auth](_master(snmp.auth, resolve(snmp.auth_key)), key_type=KeyType.Master)
    if snmp.priv is None or snmp.priv_key is None:
        return User(snmp.user or "", auth_key=auth)
    priv = PRIV[snmp.priv](_master(snmp.auth, resolve(snmp.priv_key)), key_type=KeyType.Master)
    return User(snmp.user or "", auth_key=auth, priv_key=priv)


def access_of(device: Device, resolve: Resolve) -> Access:
    """How to reach a device; SnmpFailure with reason ``secret`` if its community or key has no value."""
    snmp = device.snmp
    if snmp is None:
        raise SnmpFailure(Reason.SECRET, "the device has no snmp section")
    try:
        if snmp.version == "3":
            return Access(address=device.address, port=snmp.port, user=_user(snmp, resolve))
        return Access(address=device.address, port=snmp.port, community=resolve(snmp.community or ""))
    except (UserError, LookupError, ValueError) as error:
        raise SnmpFailure(Reason.SECRET, str(error)) from error


class GufoAgent:
    """One agent behind one session. Fulfils ``port.Agent``.

    ``access`` is called for each new session, so that a secret that was set or changed meanwhile is used.
    """

    def __init__(self, access: Callable[[], Access], clock: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._clock = clock
        self._session: SnmpSession | None = None
        self._silences = 0
        self._used = 0.0
        self._one = asyncio.Lock()

    async def get(self, oids: Sequence[str], within: float) -> Mapping[str, Value]:
        return await self._answer(lambda session: session.get_many(oids), within)

    async def walk(self, column: str, within: float) -> Mapping[int, Value]:
        """The column; fewer repetitions are asked for after each silence, all in all no longer than ``within``."""
        share = within / len(REPETITIONS)
        for repetitions in REPETITIONS[:-1]:
            try:
                return await self._answer(partial(_walk, column=column, repetitions=repetitions), share)
            except SnmpFailure as failure:
                if failure.reason is not Reason.TIMEOUT:
                    raise
        return await self._answer(partial(_walk, column=column, repetitions=REPETITIONS[-1]), share)

    def renew(self) -> None:
        self._session = None
        self._silences = 0

    async def _answer(self, ask: Callable[[SnmpSession], Awaitable[T]], within: float) -> T:
        """What ``ask`` gives, or SnmpFailure; the library's panic is a BaseException and is caught here alone."""
        started = self._clock()
        try:
            async with self._one, asyncio.timeout(within):
                answer = await ask(await self._ready(started))
        except TimeoutError as error:
            raise self._silence(self._clock() - started, within) from error
        except SnmpAuthError as error:
            self.renew()
            raise SnmpFailure(Reason.AUTHENTICATION, str(error)) from error
        except SnmpError as error:
            raise SnmpFailure(Reason.MALFORMED, str(error)) from error
        except OSError as error:
            raise SnmpFailure(Reason.UNREACHABLE, str(error)) from error
        except BaseException as error:
            if type(error).__name__ != PANIC:
                raise
            self.renew()
            raise SnmpFailure(Reason.MALFORMED, f"{PANIC}: {error}") from error
        self._silences = 0
        self._used = self._clock()
        return answer

    async def _ready(self, now: float) -> SnmpSession:
        """The session; for v3 with a fresh idea of the engine's boots and time."""
        if self._session is None:
            access = self._access()
            self._session = _open(access)
            self._used = -V3_IDLE_SECONDS
        if now - self._used > V3_IDLE_SECONDS:
            await self._session.refresh()  # does nothing for v2c
        return self._session

    def _silence(self, elapsed: float, within: float) -> SnmpFailure:
        """The failure of a request without answer; ICMP "port unreachable" also comes as a time-out, only at once."""
        self._silences += 1
        if self._silences >= V3_SILENCES:
            self.renew()
        if elapsed < within / 2:
            return SnmpFailure(Reason.REFUSED)
        return SnmpFailure(Reason.TIMEOUT, f"{within:.1f} s")


def _open(access: Access) -> SnmpSession:
    if access.user is not None:
        return SnmpSession(
            access.address, access.port, user=access.user, version=SnmpVersion.v3, timeout=LONGEST_SECONDS
        )
    community = access.community.reveal() if access.community else ""
    return SnmpSession(access.address, access.port, community, version=SnmpVersion.v2c, timeout=LONGEST_SECONDS)


async def _walk(session: SnmpSession, *, column: str, repetitions: int) -> Mapping[int, Value]:
    found: dict[int, Value] = {}
    async for oid, value in session.getbulk(column, repetitions):
        found[int(oid.rpartition(".")[2])] = value
        if len(found) > WALK_ROWS:
            raise SnmpFailure(Reason.MALFORMED, f"more than {WALK_ROWS} rows in {column}")
    return found


def gufo_agent(device: Device, resolve: Resolve) -> GufoAgent:
    """The agent of a device. Opens nothing yet."""
    return GufoAgent(partial(access_of, device, resolve))
