"""Fakes of the three robots, made from their public documents: signature, limit, answers. ``verified: false``.

钉钉: open.dingtalk.com/document/orgapp/custom-robot-access and .../customize-robot-security-settings: ``timestamp`` in
ms, not further than an hour from the service's clock; ``sign`` = URL-encoded Base64 of HMAC-SHA256(key secret,
``TIMESTAMP newline SECRET``); 20 messages a minute, then shut out for ten minutes; 310000 for a bad signature.
企业微信: developer.work.weixin.qq.com/document/path/91770: key in the address, text of at most 2048 bytes, 20 a minute.
飞书: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: ``timestamp`` in s and ``sign`` in the body, Base64 of
HMAC-SHA256(key ``TIMESTAMP newline SECRET``, nothing); 19021 for a bad one; 100 a minute and 5 a second; 20 KB a body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.notify.story import Request

Said = tuple[int, bytes, dict[str, str]]
HOUR_MS = 3_600_000


def said(**answer: Any) -> Said:
    return 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}


@dataclass
class FakeDingTalk:
    """``now_ms`` is the service's own clock; it counts one minute from the first message on."""

    secret: str
    now_ms: int
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Said:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if query.get("access_token") != "token":
            return said(errcode=300005, errmsg="token is not exist")
        at = query.get("timestamp", "0")
        text = f"{at}\n{self.secret}".encode()
        expected = base64.b64encode(hmac.new(self.secret.encode(), text, hashlib.sha256).digest()).decode()
        if abs(int(at) - self.now_ms) > HOUR_MS or query.get("sign") != expected:
            return said(errcode=310000, errmsg="sign not match")
        if len(self.taken) >= 20:
            return said(errcode=130101, errmsg="send too fast, exceed 20 times per minute")
        body = json.loads(request.body)
        if body["msgtype"] != "text" or len(request.body) > 20_000:
            return said(errcode=40035, errmsg="invalid parameter")
        self.taken.append(body)
        return said(errcode=0, errmsg="ok")


@dataclass
class FakeWeCom:
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Said:
        if parse_qs(urlsplit(request.path).query).get("key") != ["key"]:
            return said(errcode=93000, errmsg="invalid webhook url")
        body = json.loads(request.body)
        if len(body["text"]["content"].encode()) > 2048:
            return said(errcode=40058, errmsg="text content size error")
        if len(self.taken) >= 20:
            return said(errcode=45009, errmsg="api freq out of limit")
        self.taken.append(body)
        return said(errcode=0, errmsg="ok")


@dataclass
class FakeFeishu:
    secret: str
    now: int
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Said:
        body = json.loads(request.body)
        key = f"{body.get('timestamp')}\n{self.secret}".encode()
        expected = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
        if abs(int(body.get("timestamp", 0)) - self.now) > 3600 or body.get("sign") != expected:
            return said(code=19021, msg="sign match fail or timestamp is not within one hour from current time")
        if len(self.taken) >= 100:
            return said(code=11232, msg="frequency limited")
        self.taken.append(body)
        return said(StatusCode=0, StatusMessage="success", code=0, msg="success", data={})
