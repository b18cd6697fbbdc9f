"""Figures as people read them: the unit always stands beside the number, what is unknown is a dash, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from console.language import Language
from records.instants import SHANGHAI, parse_instant

UNKNOWN = "—"
_STEPS = ((10**12, "Tbit/s"), (10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"), (1, "bit/s"))
_WAN = 10_000


def bps(value: float | None) -> str:
    """Bit/s in the unit that fits, three figures: ``1.25 Gbit/s``."""
    if value is None:
        return UNKNOWN
    size, unit = next(((size, unit) for size, unit in _STEPS if abs(value) >= size), (1, "bit/s"))
    scaled = value / size
    digits = 0 if size == 1 else 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0  # noqa: PLR2004 - three figures
    return f"{scaled:.{digits}f} {unit}"


def percent(value: float | None) -> str:
    """A fraction as per cent: ``45.7 %``."""
    return UNKNOWN if value is None else f"{value * 100:.1f} %"


def whole_percent(value: float | None) -> str:
    """A fraction as whole per cent, where room is scarce."""
    return UNKNOWN if value is None else f"{value * 100:.0f} %"


def number(value: Any) -> str:
    """An integer or decimal with thousands apart and no idle zeros."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{Decimal(str(value)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parts_of(value: Any) -> tuple[str, str]:
    """A number's text at its decimal point, ``("1,234", ".5")``, so that a column of them can be aligned there."""
    whole, point, fraction = number(value).partition(".")
    return whole, point + fraction


def price(value: Any) -> str:
    """A unit price with all its digits, at least the cents: ``1.50``, ``0.00012``."""
    whole, fraction = parts_of(value)
    return whole if value is None else f"{whole}.{fraction[1:]:0<2}"


def unit(value: str, month: str) -> str:
    """A unit as people write it: ``GB*month`` as GB·月, ``vcpu*h`` as vCPU·h; ``month`` is that word."""
    return "·".join({"month": month, "vcpu": "vCPU"}.get(one, one) for one in value.split("*"))


def instant(value: datetime | str | None) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in the site's zone, Asia/Shanghai."""
    return UNKNOWN if value is None else f"{_local(value):%Y-%m-%d %H:%M:%S}"


def moment(value: datetime | str | None, at: datetime) -> str:
    """The same for dense places: without the year while that is the present one."""
    if value is None:
        return UNKNOWN
    local = _local(value)
    return f"{local:%m-%d %H:%M:%S}" if local.year == _local(at).year else f"{local:%Y-%m-%d %H:%M:%S}"


def _local(value: datetime | str) -> datetime:
    return (parse_instant(value) if isinstance(value, str) else value).astimezone(SHANGHAI)


def day(value: date | None) -> str:
    """``YYYY-MM-DD``."""
    return UNKNOWN if value is None else value.isoformat()


@dataclass(frozen=True, slots=True)
class Money:
    """Yuan in the reader's language."""

    language: Language

    def yuan(self, value: Decimal | str | None) -> str:
        """Exact to the cent: ``12,345.67 元``."""
        if value is None:
            return UNKNOWN
        text = f"{Decimal(value):,.2f}"
        return f"CNY {text}" if self.language == "en" else f"{text} 元"

    def short(self, value: Decimal | str | None) -> str:
        """For a tile: in 万元 (English: thousands) from ten thousand yuan on."""
        if value is None or abs(Decimal(value)) < _WAN:
            return self.yuan(value)
        if self.language == "en":
            return f"CNY {Decimal(value) / 1000:,.1f} k"
        return f"{Decimal(value) / _WAN:,.2f} 万元"
