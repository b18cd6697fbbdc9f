"""飞书 group robot: ``timestamp`` and ``sign`` in the body, 100 messages a minute.

Source: 飞书开放平台, 自定义机器人使用指南 (open.feishu.cn/document/client-docs/bot-v3/add-custom-bot).
``verified: false``: tested against a fake made from that page, not against the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from notify.channels.robot import judged, send_json
from notify.notice import Message, Receipt
from notify.text import whole
from notify.web import Answer, Reach
from records.secret import Secret

LONGEST_BYTES = 16_000  # of the 20 KB that the page allows for the whole body
WAITS = {9499: 10.0, 11232: 60.0}  # too many requests; over the robot's limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Feishu:
    """One robot; the last part of ``url`` is its token."""

    url: Secret
    secret: Secret | None
    reach: Reach
    clock_ms: Callable[[], int]

    def send(self, message: Message) -> Receipt:
        text = whole(message, LONGEST_BYTES).replace("<", "＜")  # ``<at user_id="all">`` in a log line calls nobody
        payload: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self.secret is not None:
            at = self.clock_ms() // 1000
            payload |= {"timestamp": str(at), "sign": sign(self.secret, at)}
        answer = send_json(self.url.reveal(), payload, self.reach)
        return judged(answer, ("code", "msg"), WAITS) if isinstance(answer, Answer) else answer


def sign(secret: Secret, at: int) -> str:
    """Base64 of HMAC-SHA256 over nothing; timestamp, newline and secret are the key: as odd as the page has it."""
    key = f"{at}\n{secret.reveal()}".encode()
    return base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()
