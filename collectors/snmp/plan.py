"""How the wanted values of a device are spread over requests, and what comes back made rows of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.snmp.oids import IF_NAME, OCTETS, STATES, SYS_UPTIME
from collectors.snmp.port import Value

LARGEST_PDU = 48  # values in one request beside sysUpTime; about 1 200 bytes of answer
SMALLEST_PDU = 3  # name and both octet counters belong to one instant


@dataclass(frozen=True, slots=True)
class Port:
    """One interface to poll.

    Attributes:
        name: ifName, the series key.
        index: ifIndex at present.
        bits: 64 for ifHC*, 32 where the agent has no such counter.
        oids: name, received and sent octets, then ``STATES``.
    """

    name: str
    index: int
    bits: int
    oids: tuple[str, ...]


def port_at(name: str, index: int, bits: int, name_column: str = IF_NAME) -> Port:
    """A port with its OIDs."""
    return Port(name, index, bits, tuple(f"{column}.{index}" for column in (name_column, *OCTETS[bits], *STATES)))


@dataclass(frozen=True, slots=True)
class Pdu:
    """One request. ``ports`` are those whose counters it reads: its answer's instant is theirs."""

    oids: tuple[str, ...]
    ports: tuple[Port, ...]


def plan(ports: Sequence[Port], size: int, every: Sequence[str] = (SYS_UPTIME,)) -> tuple[Pdu, ...]:
    """Requests of at most ``size`` values with ``every`` before them; ports stay whole while ``size`` allows it."""
    if not ports:
        return ()
    width = len(ports[0].oids)
    if size < width:
        return tuple(pdu for port in ports for pdu in _split(port, size, every))
    share = size // width
    groups = [tuple(ports[at : at + share]) for at in range(0, len(ports), share)]
    return tuple(Pdu((*every, *(oid for port in group for oid in port.oids)), group) for group in groups)


def _split(port: Port, size: int, every: Sequence[str]) -> list[Pdu]:
    cuts = range(0, len(port.oids), max(size, SMALLEST_PDU))
    step = max(size, SMALLEST_PDU)
    return [Pdu((*every, *port.oids[at : at + step]), (port,) if at == 0 else ()) for at in cuts]


def smaller(size: int) -> int | None:
    """The next size to try after tooBig; None if there is none."""
    return size // 2 if size // 2 >= SMALLEST_PDU else None


def text_of(value: Value) -> str | None:
    """An OctetString as text; names of agents that are no UTF-8 are read as GB18030, as their makers mean them."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("gb18030", errors="replace")
    return value if isinstance(value, str) else None


def indexes(names: Mapping[int, Value], wanted: Sequence[str]) -> dict[str, int]:
    """The ifIndex of each wanted ifName that exists; the lowest index where an agent repeats a name."""
    found: dict[str, int] = {}
    for index in sorted(names, reverse=True):
        name = text_of(names[index])
        if name is not None:
            found[name] = index
    return {name: found[name] for name in wanted if name in found}
