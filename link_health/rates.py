"""From two readings to a mean rate: pure, exact, for many series at once (research: network §5, RFC 2863, RFC 3418).

Every reading is judged against the base of its series, the last reading whose counters were taken over. In doubt there
is no rate: a bill rests on it. All arithmetic is integer, so that a scalar oracle gives the same bit/s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from link_health.columns import (
    FIRST,
    IMPLAUSIBLE,
    INTERPOLATED,
    MISSING,
    OK,
    RESET,
    UNKNOWN,
    Columns,
    Int,
    Mask,
    Octets,
    Rates,
)

UPTIME_MODULUS = 2**32  # TimeTicks, RFC 2578 §7.1.8: 497.1 days
TICK_US = 10_000
WIDE, NARROW = 64, 32  # Counter64 and Counter32
SECOND_US = 1_000_000
LONGEST_US = 9_000_000_000_000  # 104 days; beyond it the arithmetic below would leave 63 bits
LARGEST_DELTA = np.uint64(2**60)  # octets; more than any port carries in that time
TOP = np.int64(2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the judgement needs besides the two readings.

    Attributes:
        interval_us: The polling interval.
        seen: Series that have a base.
        ceiling_bps: Contract bandwidth, used where the port tells no speed; 0 if unknown.
        moved: Series whose last rate was above zero.
        peer: 1 the far end's counters move, 0 they stand still, -1 unknown.
    """

    interval_us: int
    seen: Mask
    ceiling_bps: Int
    moved: Mask
    peer: Int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The interval between base and reading, and what the clocks say about it."""

    length_us: Int
    stale: Mask
    reset: Mask
    clock: Mask


def _span(before: Columns, after: Columns, context: Context) -> _Span:
    """Length by sysUpTime of the same PDUs, else the poller's monotonic clock within one run, else the wall."""
    same_run = (before.run == after.run) & (before.elapsed_ns >= 0) & (after.elapsed_ns >= 0)
    local = np.where(same_run, (after.elapsed_ns - before.elapsed_ns) // 1000, after.at_us - before.at_us)
    set_back = ~same_run & (local <= -2 * context.interval_us)  # the wall was put back between two runs of the poller
    timed = (before.uptime >= 0) & (after.uptime >= 0)
    agent = (after.uptime - before.uptime) % UPTIME_MODULUS * TICK_US
    tolerance = np.maximum(2 * SECOND_US, local // 50)
    agree = timed & (np.abs(agent - local) <= tolerance)
    reset = _rebooted(before, after, local, timed & ~agree, tolerance) | set_back
    # A monotonic clock of ours vouches for the agent's or refutes it; a wall that may have been set cannot.
    usable = timed & ~reset & (agent > 0) & (~same_run | (agree & (2 * agent >= local)))
    return _Span(
        length_us=np.where(usable, agent, np.maximum(local, 1)),
        stale=context.seen & (local <= 0) & ~set_back,
        reset=reset,
        clock=context.seen & timed & ~reset & ~agree,
    )


def _rebooted(before: Columns, after: Columns, local: Int, disagree: Mask, tolerance: Int) -> Mask:
    """The agent started anew: uptime fell and did not wrap, it booted within the interval, or engineBoots changed."""
    fell = (after.uptime >= 0) & (after.uptime < before.uptime)
    wrapped: Mask = before.uptime > UPTIME_MODULUS - local * 3 // 2 // TICK_US
    booted_within = disagree & (after.uptime * TICK_US < local - tolerance)
    rebooted: Mask = (fell & ~wrapped) | booted_within | _changed(before.boots, after.boots)
    return rebooted


def _changed(before: Int, after: Int) -> Mask:
    changed: Mask = (before >= 0) & (after >= 0) & (before != after)
    return changed


def _renewed(before: Columns, after: Columns) -> Mask:
    """The counters began anew though the agent did not: discontinuity, ifIndex, width, a Counter64 that fell."""
    fell = (after.in_octets < before.in_octets) | (after.out_octets < before.out_octets)
    renumbered = _changed(before.if_index, after.if_index) | _changed(before.bits, after.bits)
    renewed: Mask = _changed(before.discontinuity, after.discontinuity) | renumbered | (fell & (after.bits == WIDE))
    return renewed


def _delta(before: Octets, after: Octets, narrow: Mask) -> Octets:
    """Octets counted; a Counter32 is taken modulo 2**32."""
    difference = after - before
    return np.where(narrow, difference & np.uint64(UPTIME_MODULUS - 1), difference)


def bits_per_second(octets: Octets, length_us: Int) -> Int:
    """Whole bit/s, half up; exact below 2**60 octets and up to ``LONGEST_US``, the highest int64 above."""
    bits = np.minimum(octets, LARGEST_DELTA - np.uint64(1)).astype(np.int64) * 8
    whole, rest = np.divmod(bits, length_us)
    rate = whole * SECOND_US + (rest * SECOND_US + length_us // 2) // length_us
    return np.where((octets >= LARGEST_DELTA) | (whole >= TOP // SECOND_US), TOP, rate)


def compute_rates(before: Columns, after: Columns, context: Context) -> Rates:
    """Mean rates of readings aligned by series: ``before[i]`` is the base of the series of ``after[i]``."""
    span = _span(before, after, context)
    length = np.minimum(span.length_us, LONGEST_US)
    narrow = after.bits == NARROW
    received = _delta(before.in_octets, after.in_octets, narrow)
    sent = _delta(before.out_octets, after.out_octets, narrow)
    rate_in, rate_out = bits_per_second(received, length), bits_per_second(sent, length)
    limit = np.maximum(before.speed, after.speed)
    limit = np.where(limit > 0, limit, context.ceiling_bps)
    # More than one wrap of a Counter32 would pass unseen: 0.9 of the time that a full port needs for one.
    uncertain = narrow & ((limit <= 0) | (length >= UPTIME_MODULUS * 8 * 9 // 10 * SECOND_US // np.maximum(limit, 1)))
    reset = span.reset | _renewed(before, after)
    standing = (received == 0) & (sent == 0) & (after.oper == 1) & ~reset & ~uncertain
    held, stuck = _cached(standing, length, context)
    top = np.maximum(rate_in, rate_out)
    implausible = ((limit > 0) & (top > limit + limit // 20)) | (top == TOP)
    status = _status(after, context, reset, uncertain | stuck, implausible, length)
    return _assemble(after, context, span, status, (rate_in, rate_out), held)


def _cached(standing: Mask, length: Int, context: Context) -> tuple[Mask, Mask]:
    """Equal counters on an up port: answered from the agent's cache (merge with the next), or counting no more.

    A far end that moves proves the cache; without word from it, a port that moved until now is given one interval.
    """
    short = 2 * length <= 7 * context.interval_us
    first = 2 * length <= 3 * context.interval_us
    lone = (context.peer < 0) & context.moved & first
    held = context.seen & standing & (((context.peer == 1) & short) | lone)
    return held, standing & (context.peer == 1) & ~short


def _status(after: Columns, context: Context, reset: Mask, uncertain: Mask, implausible: Mask, length: Int) -> Int:
    """One status a reading; the first that applies."""
    gap = np.where(
        2 * length > 7 * context.interval_us, MISSING, np.where(2 * length > 3 * context.interval_us, INTERPOLATED, OK)
    )
    conditions = [~after.ok, ~after.counted, ~context.seen, reset, uncertain, implausible]
    return np.select(conditions, [MISSING, UNKNOWN, FIRST, RESET, UNKNOWN, IMPLAUSIBLE], gap).astype(np.int64)


def _assemble(after: Columns, context: Context, span: _Span, status: Int, rates: tuple[Int, Int], held: Mask) -> Rates:
    answered = after.ok & after.counted
    judged = answered & context.seen
    kept = answered & ((status == OK) | (status == INTERPOLATED))
    raw = answered & ((status == IMPLAUSIBLE) | (status == MISSING)) & (span.length_us <= LONGEST_US)
    held = held & ((status == OK) | (status == INTERPOLATED))
    return Rates(
        at_us=after.at_us,
        length_us=np.where(judged & (status != RESET), span.length_us, -1),
        in_bps=np.where(kept, rates[0], -1),
        out_bps=np.where(kept, rates[1], -1),
        raw_in_bps=np.where(raw, rates[0], -1),
        raw_out_bps=np.where(raw, rates[1], -1),
        oper=np.where(after.ok, np.maximum(after.oper, 0), 0),
        status=status,
        emit=~span.stale & ~held,
        stale=span.stale,
        seed=answered & ~span.stale & ~held,
        clock=span.clock & judged & ~span.stale,
    )


def next_base(before: Columns, after: Columns, rates: Rates) -> Columns:
    """The base of each series after these readings; what a reading left out is remembered from the one before."""
    seeded = {
        name: np.where(rates.seed, getattr(after, name), getattr(before, name))
        for name in (
            "at_us",
            "elapsed_ns",
            "run",
            "ok",
            "uptime",
            "bits",
            "counted",
            "in_octets",
            "out_octets",
            "oper",
            "speed",
        )
    }
    carried = {
        name: np.where(rates.seed & (getattr(after, name) >= 0), getattr(after, name), getattr(before, name))
        for name in ("boots", "if_index", "discontinuity")
    }
    return Columns(**seeded, **carried)
