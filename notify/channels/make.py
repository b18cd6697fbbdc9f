"""Channels made from their configuration, when they are first used."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from notify.channels.dingtalk import DingTalk
from notify.channels.feishu import Feishu
from notify.channels.kinds import KINDS, Config
from notify.channels.mail import Mail
from notify.channels.sms import Sms
from notify.channels.syslog import Syslog
from notify.channels.webhook import Webhook
from notify.channels.wecom import WeCom
from notify.notice import Message, Receipt, Retry, Sender, Why
from notify.web import Reach
from records.errors import UserError
from records.instants import now
from records.secret import Secret

Resolve = Callable[[str], Secret]


def clock_ms() -> int:
    """Wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _text(reference: str, resolve: Resolve) -> Secret:
    return resolve(reference) if reference.startswith("secret:") else Secret(reference)


def _secret(config: Config, resolve: Resolve) -> Secret | None:
    return resolve(config.secret) if config.secret else None


def _reach(config: Config) -> Reach:
    return Reach(private=config.private, seconds=config.timeout_seconds, ca=config.ca)


def _dingtalk(config: Config, resolve: Resolve) -> Sender:
    url, secret = _text(config.url, resolve), _secret(config, resolve)
    return DingTalk(url=url, secret=secret, reach=_reach(config), clock_ms=clock_ms)


def _feishu(config: Config, resolve: Resolve) -> Sender:
    url, secret = _text(config.url, resolve), _secret(config, resolve)
    return Feishu(url=url, secret=secret, reach=_reach(config), clock_ms=clock_ms)


def _wecom(config: Config, resolve: Resolve) -> Sender:
    return WeCom(url=_text(config.url, resolve), reach=_reach(config))


def _webhook(config: Config, resolve: Resolve) -> Sender:
    url, secret = _text(config.url, resolve), _secret(config, resolve)
    return Webhook(url=url, secret=secret, reach=_reach(config), clock_ms=clock_ms)


def _sms(config: Config, resolve: Resolve) -> Sender:
    return Sms(
        url=_text(config.url, resolve),
        secret=_secret(config, resolve),
        template=config.template,
        content_type=config.content_type,
        mobiles=config.mobiles,
        success=config.success,
        reach=_reach(config),
    )


def _mail(config: Config, resolve: Resolve) -> Sender:
    parts = urlsplit(config.url)
    implicit = parts.scheme == "smtps"
    return Mail(
        host=parts.hostname or "",
        port=parts.port or (465 if implicit else 587 if config.starttls else 25),
        security="tls" if implicit else "starttls" if config.starttls else "none",
        sender=config.sender,
        recipients=config.recipients,
        username=config.username,
        password=_secret(config, resolve),
        ca=config.ca,
        seconds=config.timeout_seconds,
        clock=now,
    )


def _syslog(config: Config, _resolve: Resolve) -> Sender:
    parts = urlsplit(config.url)
    port = parts.port or (6514 if parts.scheme == "tls" else 514)
    return Syslog(
        protocol=parts.scheme, host=parts.hostname or "", port=port, ca=config.ca, seconds=config.timeout_seconds
    )


MAKERS: Mapping[str, Callable[[Config, Resolve], Sender]] = {
    "dingtalk": _dingtalk,
    "wecom": _wecom,
    "feishu": _feishu,
    "smtp": _mail,
    "webhook": _webhook,
    "sms": _sms,
    "syslog": _syslog,
}


@dataclass(slots=True)
class Configured:
    """A channel that is made when it is first used: a secret that is missing delays its messages, nothing else.

    Once made it stays, until the process is started anew.
    """

    config: Config
    resolve: Resolve
    _made: Sender | None = field(default=None)

    @property
    def per_minute(self) -> int | None:
        """The operator's limit, else the kind's."""
        return self.config.per_minute or KINDS[self.config.kind].per_minute

    @property
    def dedupes(self) -> bool:
        """As the kind does, or as the operator says of the gateway."""
        return KINDS[self.config.kind].dedupes or self.config.dedupes

    def send(self, message: Message) -> Receipt:
        """Send one message; what cannot be made yet is tried again."""
        try:
            if self._made is None:
                self._made = MAKERS[self.config.kind](self.config, self.resolve)
        except UserError as error:
            return Retry(why=Why("{reason}", {"reason": error.problems[0].text()}), reached=False)
        return self._made.send(message)
