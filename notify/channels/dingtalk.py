"""钉钉 group robot: ``timestamp`` and HMAC-SHA256 ``sign`` in the address, 20 messages a minute.

Source: 钉钉开放平台, 自定义机器人接入 and 自定义机器人安全设置 (open.dingtalk.com/document/orgapp/custom-robot-access).
``verified: false``: tested against a fake made from that page, not against the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_plus

from notify.channels.robot import judged, send_json
from notify.notice import Message, Receipt
from notify.text import whole
from notify.web import Answer, Reach
from records.secret import Secret

LONGEST_BYTES = 16_000  # of the 20 000 that the page allows for the whole body
WAITS = {-1: 10.0, 130101: 600.0, 410100: 600.0}  # busy; too fast: shut out for ten minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class DingTalk:
    """One robot; ``url`` holds its access token. Without a secret the robot must be protected by words or addresses."""

    url: Secret
    secret: Secret | None
    reach: Reach
    clock_ms: Callable[[], int]

    def send(self, message: Message) -> Receipt:
        mobiles = [person.mobile for person in message.to if person.mobile]
        payload = {
            "msgtype": "text",
            "text": {"content": whole(message, LONGEST_BYTES)},
            "at": {"atMobiles": mobiles, "isAtAll": False},
        }
        answer = send_json(self._signed(), payload, self.reach)
        return judged(answer, ("errcode", "errmsg"), WAITS) if isinstance(answer, Answer) else answer

    def _signed(self) -> str:
        url = self.url.reveal()
        if self.secret is None:
            return url
        at = self.clock_ms()
        joint = "&" if "?" in url else "?"
        return f"{url}{joint}timestamp={at}&sign={quote_plus(sign(self.secret, at))}"


def sign(secret: Secret, at_ms: int) -> str:
    """Base64 of HMAC-SHA256 over timestamp, newline and secret, under the secret."""
    key = secret.reveal().encode()
    text = f"{at_ms}\n{secret.reveal()}".encode()
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
