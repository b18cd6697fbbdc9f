"""Generic webhook: JSON, signed with HMAC-SHA256 over timestamp, nonce and body; the message id lets a peer dedupe."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notify.notice import Delivered, Message, Notice, Receipt
from notify.text import title
from notify.web import Answer, Reach, post, refusal
from records.instants import format_instant
from records.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One receiver. It gets ``X-Yunwang-Delivery``, the same in every try of a message, and answers 2xx."""

    url: Secret
    secret: Secret | None
    reach: Reach
    clock_ms: Callable[[], int]

    def send(self, message: Message) -> Receipt:
        body = json.dumps(payload(message), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Yunwang-Delivery": message.id}
        if self.secret is not None:
            headers |= signature(self.secret, self.clock_ms() // 1000, secrets.token_hex(16), body)
        answer = post(self.url.reveal(), body, headers, self.reach)
        if not isinstance(answer, Answer):
            return answer
        return refusal(answer) or Delivered()


def signature(secret: Secret, at: int, nonce: str, body: bytes) -> Mapping[str, str]:
    """The three headers: HMAC-SHA256 over ``TIMESTAMP.NONCE.BODY``, in hex, behind ``v1=``."""
    digest = hmac.new(secret.reveal().encode(), f"{at}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Yunwang-Timestamp": str(at), "X-Yunwang-Nonce": nonce, "X-Yunwang-Signature": f"v1={digest}"}


def payload(message: Message) -> dict[str, Any]:
    """What the receiver gets; times in UTC, absent values null."""
    return {
        "id": message.id,
        "title": title(message),
        "level": message.level.value,
        "step": message.step,
        "repeated": message.repeated,
        "to": [{"name": one.name, "mobile": one.mobile or None, "mail": one.mail or None} for one in message.to],
        "notices": [_notice(one) for one in message.notices],
    }


def _notice(one: Notice) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": format_instant(one.at),
        "kind": one.kind,
        "level": one.level.value,
        "title": one.title,
        "body": list(one.body),
        "organisation": one.organisation,
        "alert": one.alert,
        "links": dict(one.links),
        "fields": dict(one.fields),
    }
