"""What the three chat robots share: JSON out, a code in JSON back, and what each code means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from notify.notice import Delivered, Failed, Receipt, Retry, Why
from notify.web import Answer, Reach, post, refusal


def send_json(url: str, payload: Mapping[str, Any], reach: Reach) -> Answer | Receipt:
    """Post one JSON object; an answer only where the status is 2xx."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    answer = post(url, body, {"Content-Type": "application/json; charset=utf-8"}, reach)
    return (refusal(answer) or answer) if isinstance(answer, Answer) else answer


def judged(answer: Answer, keys: tuple[str, str], waits: Mapping[int, float]) -> Receipt:
    """The receipt of a robot.

    Args:
        answer: With status 2xx: robots tell errors in the body.
        keys: Names of code and text.
        waits: Codes that time heals, with the seconds to leave the robot alone.
    """
    try:
        found = json.loads(answer.body)
        code, text = found[keys[0]], str(found.get(keys[1], ""))[:200]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Retry(why=Why("its answer is not the one of such a robot"))
    if code == 0 and not isinstance(code, bool):
        return Delivered()
    told = {"code": code if isinstance(code, int) else str(code)[:50], "text": text}
    if isinstance(code, int) and code in waits:
        return Retry(why=Why("it is busy: {code} {text}", told), after_seconds=waits[code], reached=False)
    return Failed(why=Why("it refuses: {code} {text}", told))
