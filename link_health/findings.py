"""Quality findings (数据质量问题): a figure that cannot be, a clock that is off, two ends that count differently."""

from __future__ import annotations

from dataclasses import dataclass

from crypto.sm3 import sm3_hex
from link_health.turns import Action, Announcement

IMPLAUSIBLE_RATE = "implausible"  # above 1.05 of the port speed; holds the raw rates
CLOCK = "clock"  # the agent's clock and ours disagree by more than max(2 s, 2 %)
MISMATCH = "mismatch"  # the two ends differ by more than 2 % over an hour; holds what each end counted
STRIKES = 3  # readings in a row before a clock is a finding: one late answer is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding that was opened (``closed_us`` None) or closed."""

    id: str
    link: str
    kind: str
    device: str
    interface: str
    at_us: int
    is_open: bool
    raw_in_bps: int | None = None
    raw_out_bps: int | None = None

    @classmethod
    def opened(cls, name: str, link: str, key: tuple[str, str, str], at_us: int, raw: tuple[int, int]) -> Finding:
        """A finding of today; a raw figure below zero is none."""
        kind, device, interface = key
        raw_in, raw_out = (value if value >= 0 else None for value in raw)
        return cls(
            id=name, link=link, kind=kind, device=device, interface=interface, at_us=at_us, is_open=True,
            raw_in_bps=raw_in, raw_out_bps=raw_out,
        )  # fmt: skip

    @classmethod
    def closed(cls, name: str, link: str, key: tuple[str, str, str], at_us: int) -> Finding:
        """The end of a finding."""
        kind, device, interface = key
        return cls(id=name, link=link, kind=kind, device=device, interface=interface, at_us=at_us, is_open=False)

    def announcement(self) -> Announcement:
        """The event that tells of it."""
        details: dict[str, str | int] = {"finding": self.kind, "interface": self.interface}
        raw = {"raw_in_bps": self.raw_in_bps, "raw_out_bps": self.raw_out_bps}
        details.update({name: value for name, value in raw.items() if value is not None})
        action = Action.QUALITY_FINDING if self.is_open else Action.QUALITY_RESTORED
        return Announcement(
            action=action, at_us=self.at_us, name=self.id, link=self.link, device=self.device, details=details
        )


def finding_id(link: str, kind: str, device: str, interface: str, at_us: int) -> str:
    """The same cause gives the same id."""
    return sm3_hex("\x1f".join((link, kind, device, interface, str(at_us))).encode())[:32]
