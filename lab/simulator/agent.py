"""One simulated device as an SNMP agent sees it: system, ifTable and ifXTable at an instant (RFC 3418, RFC 2863)."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from inventory.model import Device
from lab.simulator import ber
from lab.simulator.ber import Oid
from lab.simulator.faults import SOUND, Faults
from lab.traffic import Traffic

SYSTEM: Oid = (1, 3, 6, 1, 2, 1, 1)
IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
IF_TABLE: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IF_X_TABLE: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
ENTERPRISE = {"huawei": 2011, "h3c": 25506, "cisco": 9, "zte": 3902}
LOOPBACK = "LoopBack0"
LOW_32 = 2**32
OCTETS_OF_PACKET = 740  # mean size, so that packet counters move too
OCTETS_OF_ERROR = 60_000_000_000  # one damaged frame in so many octets
WIDE = frozenset({"ifHCInOctets", "ifHCOutOctets", "ifHCInUcastPkts", "ifHCOutUcastPkts"})
_BOOT_DAYS = 300


@dataclass(slots=True)
class Moment:
    """An instant of one agent: what its columns are computed from.

    Attributes:
        at: Unix seconds.
        uptime: sysUpTime in ticks, modulo 2**32.
        octets: Interface to (received, sent) octets, filled as asked for.
    """

    at: float
    uptime: int
    octets: dict[str, tuple[int, int]] = field(default_factory=dict)


Cell = Callable[[Moment], bytes]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class SimulatedAgent:
    """The MIB of one device; values are functions of the instant and of its faults."""

    def __init__(self, device: Device, traffic: Traffic, epoch: float, faults: Faults = SOUND) -> None:
        self.device = device
        self.faults = faults
        self._traffic = traffic
        self._epoch = epoch
        self._links = traffic.inventory.interfaces_of_device.get(device.id, ())
        booted = faults.booted_at
        self._booted = booted if booted is not None else epoch - 86_400 * (20 + _hash(device.id) % _BOOT_DAYS)
        self._tables: dict[bool, tuple[Mapping[Oid, Cell], list[Oid]]] = {}

    def with_faults(self, faults: Faults) -> SimulatedAgent:
        """The same device with other faults; it started when it did."""
        return SimulatedAgent(self.device, self._traffic, self._epoch, faults)

    def moment(self, at: float) -> Moment:
        """The instant by this agent's own clock."""
        return Moment(at, int((at - self._started(at)) * 100) % LOW_32)

    def _started(self, at: float) -> float:
        return self.faults.reboot_at if at >= self.faults.reboot_at else self._booted

    def cell(self, name: Oid, at: float) -> Cell | None:
        """How the value of an instance is made; None if there is no such instance."""
        return self._table(at)[0].get(name)

    def following(self, name: Oid, at: float) -> tuple[Oid, Cell] | None:
        """The first instance after ``name``; None at the end of the MIB."""
        cells, order = self._table(at)
        place = bisect_right(order, name)
        return (order[place], cells[order[place]]) if place < len(order) else None

    def numbering(self, at: float) -> bool:
        """Which of the two numberings of the interfaces is in force: False before ``renumber_at``."""
        return at >= self.faults.renumber_at

    def indexes(self, at: float) -> dict[str, int]:
        """The ifIndex of each ifName at an instant."""
        numbers = list(range(5, 5 + len(self._links)))
        if self.numbering(at):  # each takes its neighbour's: no index is gone, but all bear another name
            numbers = numbers[1:] + numbers[:1]
        return {LOOPBACK: 1, **dict(zip(self._links, numbers, strict=True))}

    def _table(self, at: float) -> tuple[Mapping[Oid, Cell], list[Oid]]:
        new = self.numbering(at)
        if new not in self._tables:
            cells = {**self._system(), **self._interfaces(self.indexes(at))}
            self._tables[new] = (cells, sorted(cells))
        return self._tables[new]

    def _system(self) -> dict[Oid, Cell]:
        device = self.device
        enterprise = ENTERPRISE.get(device.vendor, 99_999)
        values: dict[int, Cell] = {
            1: _constant(_text(f"{device.vendor} {device.platform} simulated by Yunwang")),
            2: _constant(ber.oid((1, 3, 6, 1, 4, 1, enterprise, 2, 1))),
            3: lambda moment: ber.whole(ber.TICKS, moment.uptime),
            4: _constant(_text("")),
            5: _constant(_text(device.id)),
            6: _constant(_text(device.name)),
            7: _constant(ber.whole(ber.INTEGER, 78)),
        }
        found = {(*SYSTEM, number, 0): cell for number, cell in values.items()}
        found[IF_NUMBER] = _constant(ber.whole(ber.INTEGER, 1 + len(self._links)))
        return found

    def _interfaces(self, indexes: Mapping[str, int]) -> dict[Oid, Cell]:
        missing = self.faults.missing | (WIDE if self.faults.only_32_bit else frozenset())
        found: dict[Oid, Cell] = {}
        for name, index in indexes.items():
            if name in missing:
                continue
            columns = self._link_columns(name) if name != LOOPBACK else {}
            for (table, number, title), cell in {**self._fixed_columns(name, index), **columns}.items():
                if title not in missing:
                    found[*table, number, index] = cell
        return found

    def _fixed_columns(self, name: str, index: int) -> dict[tuple[Oid, int, str], Cell]:
        loopback = name == LOOPBACK
        speed = 0 if loopback else self._traffic.speed_bps(self.device.id, name)
        low = self.faults.low_speed if self.faults.low_speed is not None else min(speed, LOW_32 - 1)
        high = self.faults.high_speed if self.faults.high_speed is not None else speed // 1_000_000
        address = b"\x02\x00" + _hash(f"{self.device.id} {name}").to_bytes(8, "big")[:4]
        return {
            (IF_TABLE, 1, "ifIndex"): _constant(ber.whole(ber.INTEGER, index)),
            (IF_TABLE, 2, "ifDescr"): _constant(_text(name)),
            (IF_TABLE, 3, "ifType"): _constant(ber.whole(ber.INTEGER, 24 if loopback else 6)),
            (IF_TABLE, 4, "ifMtu"): _constant(ber.whole(ber.INTEGER, 1500)),
            (IF_TABLE, 5, "ifSpeed"): _constant(ber.whole(ber.GAUGE32, low)),
            (IF_TABLE, 6, "ifPhysAddress"): _constant(ber.tlv(ber.OCTETS, b"" if loopback else address)),
            (IF_TABLE, 7, "ifAdminStatus"): _constant(ber.whole(ber.INTEGER, 1)),
            (IF_TABLE, 8, "ifOperStatus"): _constant(ber.whole(ber.INTEGER, 1)),
            (IF_X_TABLE, 1, "ifName"): _constant(_text(name)),
            (IF_X_TABLE, 15, "ifHighSpeed"): _constant(ber.whole(ber.GAUGE32, high)),
            (IF_X_TABLE, 18, "ifAlias"): _constant(_text("")),
        }

    def _link_columns(self, name: str) -> dict[tuple[Oid, int, str], Cell]:
        device, traffic = self.device.id, self._traffic

        def count(tag: int, place: int, divisor: int = 1) -> Cell:
            most = LOW_32 if tag == ber.COUNTER32 else 2**64
            return lambda moment: ber.whole(tag, self._octets(name, moment)[place] // divisor % most)

        return {
            (IF_TABLE, 8, "ifOperStatus"): lambda moment: ber.whole(
                ber.INTEGER, traffic.oper_status(device, name, moment.at)
            ),
            (IF_TABLE, 9, "ifLastChange"): lambda moment: ber.whole(ber.TICKS, self._last_change(name, moment.at)),
            (IF_TABLE, 10, "ifInOctets"): count(ber.COUNTER32, 0),
            (IF_TABLE, 11, "ifInUcastPkts"): count(ber.COUNTER32, 0, OCTETS_OF_PACKET),
            (IF_TABLE, 13, "ifInDiscards"): count(ber.COUNTER32, 0, OCTETS_OF_ERROR * 3),
            (IF_TABLE, 14, "ifInErrors"): count(ber.COUNTER32, 0, OCTETS_OF_ERROR),
            (IF_TABLE, 16, "ifOutOctets"): count(ber.COUNTER32, 1),
            (IF_TABLE, 17, "ifOutUcastPkts"): count(ber.COUNTER32, 1, OCTETS_OF_PACKET),
            (IF_TABLE, 19, "ifOutDiscards"): count(ber.COUNTER32, 1, OCTETS_OF_ERROR * 2),
            (IF_TABLE, 20, "ifOutErrors"): count(ber.COUNTER32, 1, OCTETS_OF_ERROR * 9),
            (IF_X_TABLE, 6, "ifHCInOctets"): count(ber.COUNTER64, 0),
            (IF_X_TABLE, 7, "ifHCInUcastPkts"): count(ber.COUNTER64, 0, OCTETS_OF_PACKET),
            (IF_X_TABLE, 10, "ifHCOutOctets"): count(ber.COUNTER64, 1),
            (IF_X_TABLE, 11, "ifHCOutUcastPkts"): count(ber.COUNTER64, 1, OCTETS_OF_PACKET),
            (IF_X_TABLE, 19, "ifCounterDiscontinuityTime"): lambda moment: ber.whole(
                ber.TICKS, self._discontinuity(moment.at)
            ),
        }

    def _octets(self, name: str, moment: Moment) -> tuple[int, int]:
        """Received and sent octets as this agent counts them: from 0 at its start and after each clearing."""
        found = moment.octets.get(name)
        if found is None:
            found = moment.octets[name] = self._counted(name, moment.at)
        return found

    def _counted(self, name: str, at: float) -> tuple[int, int]:
        faults = self.faults
        seen = at // faults.cache_seconds * faults.cache_seconds if faults.cache_seconds else at
        clear = (self._started(at), faults.reset_at, faults.discontinuity_at)
        since = max(instant for instant in clear if instant <= at)
        received, sent = self._traffic.counters(self.device.id, name, max(seen, since))
        before = self._traffic.counters(self.device.id, name, since)
        extra = faults.jump_octets if at >= faults.jump_at else 0
        return received - before[0] + extra, sent - before[1]

    def _last_change(self, name: str, at: float) -> int:
        link = self._traffic.link_at(self.device.id, name)
        changed = self._traffic.changed_at(link.id, at)
        started = self._started(at)
        return 0 if changed is None or changed < started else int((changed - started) * 100) % LOW_32

    def _discontinuity(self, at: float) -> int:
        cleared = self.faults.discontinuity_at
        started = self._started(at)
        return int((cleared - started) * 100) % LOW_32 if started < cleared <= at else 0


def _constant(value: bytes) -> Cell:
    return lambda _moment: value


def _text(text: str) -> bytes:
    return ber.tlv(ber.OCTETS, text.encode())
