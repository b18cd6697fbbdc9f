"""A message in Chinese, as plain text: what log lines and users wrote into a notice is data, never markup."""

from __future__ import annotations

import unicodedata

from notify.notice import LONGEST_LINE, LONGEST_TITLE, MOST_LINES, Message, Notice
from records.alarms import Level
from records.instants import SHANGHAI

LEVEL_NAMES = {Level.CRITICAL: "严重", Level.HIGH: "高", Level.MEDIUM: "中", Level.LOW: "低"}
_SHOWN = 5  # notices told in full; of the others their number
_CUT = "…"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # newlines, bidi overrides, zero width


def flat(text: str, longest: int = LONGEST_LINE) -> str:
    """One visible line: control and format characters become spaces, the end is cut."""
    plain = "".join(" " if unicodedata.category(one) in _HIDDEN else one for one in text)
    return plain if len(plain) <= longest else plain[: longest - 1] + _CUT


def title(message: Message) -> str:
    """``[严重] TITLE（等 3 条）``."""
    first = message.notices[0]
    more = f"（等 {len(message.notices)} 条）" if len(message.notices) > 1 else ""
    return f"[{LEVEL_NAMES[message.level]}] {flat(first.title, LONGEST_TITLE)}{more}"


def body(message: Message) -> str:
    """The lines under the title, each notice with its time in Shanghai."""
    lines: list[str] = []
    if message.step:
        lines.append(f"升级通知：第 {message.step} 级，前一级未确认")
    if message.repeated:
        lines.append("此前一次发送结果不明，本条可能重复")
    for number, one in enumerate(message.notices[:_SHOWN]):
        lines += _lines(one, titled=number > 0)
    if len(message.notices) > _SHOWN:
        lines.append(f"另有 {len(message.notices) - _SHOWN} 条同类通知，详见平台")
    if message.to:
        lines.append("值班：" + "、".join(flat(person.name) for person in message.to))
    return "\n".join(lines)


def _lines(one: Notice, *, titled: bool) -> list[str]:
    at = one.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    links = [f"{flat(name)}：{flat(address)}" for name, address in one.links.items()]
    heading = [flat(one.title, LONGEST_TITLE)] if titled else []
    return [*heading, f"时间：{at}", *(flat(line) for line in one.body[:MOST_LINES]), *links]


def within(text: str, most_bytes: int) -> str:
    """Cut to a number of UTF-8 bytes at a character's edge, with an ellipsis."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    return data[: most_bytes - len(_CUT.encode())].decode(errors="ignore") + _CUT


def whole(message: Message, most_bytes: int) -> str:
    """Title and body for a chat."""
    return within(f"{title(message)}\n{body(message)}", most_bytes)
