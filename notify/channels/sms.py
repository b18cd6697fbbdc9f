"""SMS gateways (短信网关) by template: address and body are the operator's, what is filled in is escaped.

Placeholders: ``{mobiles}`` (comma-joined), ``{title}``, ``{text}``, ``{id}``, ``{secret}``. In the address they are
percent-encoded, in a JSON body escaped as JSON strings, in a form body percent-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from notify.channels.kinds import JSON_TYPE
from notify.notice import Delivered, Failed, Message, Receipt, Retry, Why
from notify.text import flat, title, whole, within
from notify.web import Answer, Reach, post, refusal
from records.secret import Secret

LONGEST_BYTES = 500
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_FALLBACK = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One gateway.

    Attributes:
        mobiles: Called where the roster gives nobody.
        success: What a good answer's body holds; empty: a status of 2xx suffices.
    """

    url: Secret
    secret: Secret | None
    template: str
    content_type: str
    mobiles: tuple[str, ...]
    success: str
    reach: Reach

    def send(self, message: Message) -> Receipt:
        mobiles = [one.mobile for one in message.to if one.mobile] or list(self.mobiles)
        if not mobiles:
            return Failed(why=Why("nobody on duty has a mobile number, and the channel names none"))
        values = {
            "mobiles": ",".join(mobiles),
            "title": within(title(message), LONGEST_BYTES),
            "text": flat(whole(message, LONGEST_BYTES)),
            "id": message.id,
            "secret": self.secret.reveal() if self.secret else "",
        }
        body = filled(self.template, values, _escape_of(self.content_type)).encode()
        headers = {"Content-Type": f"{self.content_type}; charset=utf-8"}
        return self._judged(post(filled(self.url.reveal(), values, _percent), body, headers, self.reach))

    def _judged(self, answer: Answer | Receipt) -> Receipt:
        if not isinstance(answer, Answer):
            return answer
        refused = refusal(answer)
        if refused is not None or self.success.encode() in answer.body:
            return refused or Delivered()
        told = {"text": flat(answer.body.decode(errors="replace"), 200)}
        return Retry(why=Why("its answer does not tell of success: {text}", told), after_seconds=_FALLBACK)


def filled(template: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """Known placeholders filled once; what is filled in is not looked at again, other braces stay."""
    return _PLACEHOLDER.sub(lambda found: escape(values[found[1]]) if found[1] in values else found[0], template)


def _percent(text: str) -> str:
    return quote(text, safe="")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _escape_of(content_type: str) -> Callable[[str], str]:
    return _in_json if content_type == JSON_TYPE else _percent
