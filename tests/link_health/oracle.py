"""The slow and obvious way from readings to rates: one series, one reading after the other, plain Python integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

SECOND = 1_000_000
LONGEST = 9_000_000 * SECOND  # beyond it no figure is told


@dataclass(frozen=True, kw_only=True)
class Reading:
    at: int  # microseconds
    elapsed: int | None = None  # nanoseconds
    run: int = 0
    ok: bool = True
    uptime: int | None = None
    boots: int | None = None
    if_index: int | None = 1
    discontinuity: int | None = 0
    bits: int = 64
    octets: tuple[int, int] | None = (0, 0)
    oper: int = 1
    speed: int | None = 10**10


@dataclass(frozen=True, kw_only=True)
class Row:
    at: int
    status: str
    length: int | None = None
    rates: tuple[int, int] | None = None
    raw: tuple[int, int] | None = None


def half_up(value: Fraction) -> int:
    return int((value + Fraction(1, 2)) // 1)


def known(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None


class Oracle:
    """One series."""

    def __init__(self, interval: int, ceiling: int = 0, peer: bool | None = None) -> None:
        self.interval, self.ceiling, self.peer = interval, ceiling, peer
        self.base: Reading | None = None
        self.moved = False

    def read(self, one: Reading) -> Row | None:
        row = self._judge(one)
        if row is not None and one.ok and row.status != "stale":
            self.moved = row.rates is not None and max(row.rates) > 0
        return None if row is None or row.status == "stale" else row

    def _local(self, before: Reading, one: Reading) -> tuple[int, bool]:
        if before.run == one.run and known(before.elapsed, one.elapsed):
            return (one.elapsed - before.elapsed) // 1000, True  # type: ignore[operator]
        return one.at - before.at, False

    def _judge(self, one: Reading) -> Row | None:  # noqa: PLR0911 - as the rules are told, one after the other
        before = self.base
        if before is None:
            if not one.ok:
                return Row(at=one.at, status="missing")
            if one.octets is None:
                return Row(at=one.at, status="unknown")
            self.base = one
            return Row(at=one.at, status="first")
        local, same_run = self._local(before, one)
        set_back = not same_run and local <= -2 * self.interval
        if local <= 0 and not set_back:
            return Row(at=one.at, status="stale")
        if not one.ok:
            return Row(at=one.at, status="missing")
        if one.octets is None:
            return Row(at=one.at, status="unknown")
        length, rebooted = self._length(before, one, local, same_run)
        row = self._rate(before, one, length, rebooted or set_back)
        if row is not None:
            self._seed(one)
        return row

    def _seed(self, one: Reading) -> None:
        before = self.base
        assert before is not None
        carried = {
            name: getattr(before, name) for name in ("boots", "if_index", "discontinuity") if getattr(one, name) is None
        }
        self.base = replace(one, **carried)

    def _length(self, before: Reading, one: Reading, local: int, same_run: bool) -> tuple[int, bool]:
        if known(before.boots, one.boots) and before.boots != one.boots:
            return max(local, 1), True
        if not known(before.uptime, one.uptime):
            return max(local, 1), False
        assert before.uptime is not None
        assert one.uptime is not None
        agent = (one.uptime - before.uptime) % 2**32 * 10_000
        tolerance = max(2 * SECOND, local // 50)
        agree = abs(agent - local) <= tolerance
        fell = one.uptime < before.uptime
        wrapped = before.uptime > 2**32 - local * 3 // 2 // 10_000
        if (fell and not wrapped) or (not agree and one.uptime * 10_000 < local - tolerance):
            return max(local, 1), True
        if agent > 0 and (not same_run or (agree and 2 * agent >= local)):
            return agent, False
        return max(local, 1), False

    def _renewed(self, before: Reading, one: Reading) -> bool:
        for name in ("if_index", "discontinuity", "bits"):
            old, new = getattr(before, name), getattr(one, name)
            if known(old, new) and old != new:
                return True
        assert before.octets is not None
        assert one.octets is not None
        return one.bits == 64 and any(new < old for old, new in zip(before.octets, one.octets, strict=True))

    def _rate(self, before: Reading, one: Reading, length: int, rebooted: bool) -> Row | None:
        if rebooted or self._renewed(before, one):
            return Row(at=one.at, status="reset")
        assert before.octets is not None
        assert one.octets is not None
        limit = max(before.speed or 0, one.speed or 0) or self.ceiling
        modulus = 2**32 if one.bits == 32 else 2**64
        deltas = [(new - old) % modulus for old, new in zip(before.octets, one.octets, strict=True)]
        counted = min(length, LONGEST)
        if one.bits == 32 and (limit <= 0 or counted >= 2**32 * 8 * 9 // 10 * SECOND // limit):
            return Row(at=one.at, status="unknown", length=length)
        if deltas == [0, 0] and one.oper == 1 and self._waits(length):
            return None
        stuck = deltas == [0, 0] and one.oper == 1 and self.peer
        return self._shown(one, length, limit, deltas) if not stuck else Row(at=one.at, status="unknown", length=length)

    def _waits(self, length: int) -> bool:
        """Equal counters are merged with the next interval."""
        lone = self.peer is None and self.moved and 2 * length <= 3 * self.interval
        return lone or (self.peer is True and 2 * length <= 7 * self.interval)

    def _shown(self, one: Reading, length: int, limit: int, deltas: list[int]) -> Row:
        first, second = (half_up(Fraction(delta * 8 * SECOND, min(length, LONGEST))) for delta in deltas)
        raw = (first, second) if length <= LONGEST else None
        if limit > 0 and max(first, second) * 20 > limit * 21:
            return Row(at=one.at, status="implausible", length=length, raw=raw)
        if 2 * length > 7 * self.interval:
            return Row(at=one.at, status="missing", length=length, raw=raw)
        status = "interpolated" if 2 * length > 3 * self.interval else "ok"
        return Row(at=one.at, status=status, length=length, rates=(first, second))
