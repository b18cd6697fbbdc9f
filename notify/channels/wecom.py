"""企业微信 group robot: the address is the secret, 20 messages a minute, 2048 bytes of text.

Source: 企业微信开发者中心, 群机器人配置说明 (developer.work.weixin.qq.com/document/path/91770).
``verified: false``: tested against a fake made from that page, not against the service.
"""

from __future__ import annotations

from dataclasses import dataclass

from notify.channels.robot import judged, send_json
from notify.notice import Message, Receipt
from notify.text import whole
from notify.web import Answer, Reach
from records.secret import Secret

LONGEST_BYTES = 2048
WAITS = {-1: 10.0, 45009: 60.0}  # busy; over the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class WeCom:
    """One robot; ``url`` holds its key."""

    url: Secret
    reach: Reach

    def send(self, message: Message) -> Receipt:
        mobiles = [person.mobile for person in message.to if person.mobile]
        text = {"content": whole(message, LONGEST_BYTES), "mentioned_mobile_list": mobiles}
        answer = send_json(self.url.reveal(), {"msgtype": "text", "text": text}, self.reach)
        return judged(answer, ("errcode", "errmsg"), WAITS) if isinstance(answer, Answer) else answer
