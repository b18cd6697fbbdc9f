"""What a simulated agent does wrong, and when: each row of the fault matrix is one of these settings."""

from __future__ import annotations

from dataclasses import dataclass

NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Faults of one device; instants are Unix seconds, ``NEVER`` means not at all.

    Attributes:
        delay_seconds: From request to answer.
        loss: Share of requests that get no answer, 0 to 1, spread evenly.
        silent: [start, end) without any answer.
        duplicate: Each answer is sent twice.
        cut_datagram: Answers end inside their first length.
        most_values: A request for more is answered with tooBig.
        booted_at: When the agent started; None: some days before the epoch.
        reboot_at: It starts anew: sysUpTime and counters from 0.
        renumber_at: From then on the interfaces have other indexes.
        reset_at: Counters are cleared without a sign.
        discontinuity_at: Counters are cleared and ifCounterDiscontinuityTime says so.
        jump_at: From then on received octets are ``jump_octets`` too many.
        cache_seconds: Counters move only this often.
        only_32_bit: There are no ifHC counters.
        missing: Columns (``ifHCInOctets``) or interfaces (ifName) that do not exist.
        high_speed: What ifHighSpeed says instead of the truth, Mbit/s.
        low_speed: What ifSpeed says instead of the truth, bit/s.
    """

    delay_seconds: float = 0.0
    loss: float = 0.0
    silent: tuple[float, float] = (NEVER, NEVER)
    duplicate: bool = False
    cut_datagram: bool = False
    most_values: int | None = None
    booted_at: float | None = None
    reboot_at: float = NEVER
    renumber_at: float = NEVER
    reset_at: float = NEVER
    discontinuity_at: float = NEVER
    jump_at: float = NEVER
    jump_octets: int = 0
    cache_seconds: float = 0.0
    only_32_bit: bool = False
    missing: frozenset[str] = frozenset()
    high_speed: int | None = None
    low_speed: int | None = None


SOUND = Faults()
