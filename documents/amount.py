"""Amounts in capital Chinese numerals (人民币大写), as 《正确填写票据和结算凭证的基本规定》 wants them on papers."""

from __future__ import annotations

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
FEN_IN_YUAN = 100
FULL_GROUP = 1000  # a group below it begins with a zero
LARGEST_FEN = 10**18 - 1


def chinese_amount(fen: int) -> str:
    """An amount in fen, e.g. 1 680 032 fen to 人民币壹万陆仟捌佰元零叁角贰分.

    整 ends an amount without fen (角 without 分 included); 零 stands once for a run of zeros between digits. ValueError
    beyond 10**16 yuan.
    """
    if abs(fen) > LARGEST_FEN:
        raise ValueError(f"amount out of range: {fen} fen")
    yuan, rest = divmod(abs(fen), FEN_IN_YUAN)
    sign = "负" if fen < 0 else ""
    return f"人民币{sign}{_yuan(yuan)}{_rest(rest, has_yuan=yuan > 0, ends_in_zero=yuan % 10 == 0)}"


def _yuan(yuan: int) -> str:
    """Whole yuan with 元; empty below one yuan."""
    if yuan == 0:
        return ""
    text, gap = "", False
    groups = [yuan // 10_000**place % 10_000 for place in range(len(GROUPS))]
    for place in reversed(range(len(GROUPS))):
        if groups[place] == 0:
            gap = gap or bool(text)
            continue
        if text and (gap or groups[place] < FULL_GROUP):
            text += DIGITS[0]
        text += _group(groups[place]) + GROUPS[place]
        gap = False
    return text + "元"


def _group(value: int) -> str:
    """Four digits, inner runs of zeros as one 零, none at the end."""
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit == 0:
            gap = gap or bool(text)
            continue
        text += (DIGITS[0] if gap else "") + DIGITS[digit] + PLACES[place]
        gap = False
    return text


def _rest(fen: int, *, has_yuan: bool, ends_in_zero: bool) -> str:
    """角 and 分; 零 before them where digits are skipped."""
    jiao, cents = divmod(fen, 10)
    if fen == 0:
        return "整" if has_yuan else "零元整"
    lead = DIGITS[0] if has_yuan and (ends_in_zero or jiao == 0) else ""
    return lead + (f"{DIGITS[jiao]}角" if jiao else "") + (f"{DIGITS[cents]}分" if cents else "整")
