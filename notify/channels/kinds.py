"""The kinds of channel: what each takes and what its peer allows. Data only: every command imports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from records.errors import Problem

SECONDS = 10.0
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One channel as it is configured; ``url`` and ``secret`` may be references ``secret:…``."""

    kind: str
    url: str
    secret: str = ""
    private: bool = False
    per_minute: int | None = None
    timeout_seconds: float = SECONDS
    ca: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    username: str = ""
    starttls: bool = True
    template: str = ""
    content_type: str = JSON_TYPE
    success: str = ""
    mobiles: tuple[str, ...] = ()
    dedupes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind takes.

    Attributes:
        options: Keys beside ``kind``, ``url``, ``per_minute`` and ``timeout_seconds``.
        needs: Those that must be there.
        per_minute: The peer's limit; its source stands in the kind's module.
        schemes: Of its URL.
        verified: Tested against the real thing, not only against a fake made from its documents.
    """

    options: frozenset[str]
    schemes: tuple[str, ...] = ("https", "http")
    needs: tuple[str, ...] = ()
    per_minute: int | None = None
    dedupes: bool = False
    verified: bool = True


_WEB = frozenset({"private", "ca"})
KINDS: Mapping[str, Kind] = {
    "dingtalk": Kind(options=_WEB | {"secret"}, per_minute=20, verified=False),
    "wecom": Kind(options=_WEB, per_minute=20, verified=False),
    "feishu": Kind(options=_WEB | {"secret"}, per_minute=100, verified=False),
    "smtp": Kind(
        options=frozenset({"secret", "ca", "sender", "recipients", "username", "starttls"}),
        schemes=("smtp", "smtps"),
        needs=("sender",),
    ),
    "webhook": Kind(options=_WEB | {"secret"}, dedupes=True),
    "sms": Kind(
        options=_WEB | {"secret", "template", "content_type", "success", "mobiles", "dedupes"},
        needs=("template",),
        verified=False,
    ),
    "syslog": Kind(options=frozenset({"ca"}), schemes=("udp", "tcp", "tls")),
}
_COMMON = frozenset({"kind", "url", "per_minute", "timeout_seconds"})


def check(config: Config, written: frozenset[str]) -> Iterator[tuple[str, Problem]]:
    """What is wrong with a configured channel: the key, and the problem without its place.

    Args:
        config: The channel, its kind known.
        written: The keys that the operator wrote.
    """
    kind = KINDS[config.kind]
    for key in sorted(written - _COMMON - kind.options):
        said = {"kind": config.kind, "key": key, "known": ", ".join(sorted(_COMMON | kind.options))}
        yield key, Problem("'{key}' is not for kind '{kind}'", "known here: {known}", values=said)
    for key in kind.needs:
        if not getattr(config, key):
            yield "", Problem("kind '{kind}' needs '{key}'", "add it", values={"kind": config.kind, "key": key})
    if config.secret and not config.secret.startswith("secret:"):
        yield "secret", Problem("a literal secret is refused", "store it with `yw secret set NAME`, write secret:NAME")
    yield from _check_url(config, kind)
    if config.kind == "smtp" and config.secret and config.url.startswith("smtp:") and not config.starttls:
        yield "starttls", Problem("a password is not sent without TLS", "use starttls, or smtps://HOST")


def _check_url(config: Config, kind: Kind) -> Iterator[tuple[str, Problem]]:
    if config.url.startswith("secret:") and "http" in kind.schemes:
        return
    try:
        parts = urlsplit(config.url)
        whole = parts.scheme in kind.schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = None
    if not whole or "@" in config.url.partition("?")[0]:
        schemes = ", ".join(f"{scheme}://" for scheme in kind.schemes)
        said = {"url": masked(config.url), "kind": config.kind, "schemes": schemes}
        what, advice = "'{url}' is no address for kind '{kind}'", "it begins with one of {schemes}"
        yield "url", Problem(what, advice, values=said)


def masked(url: str) -> str:
    """A URL to show: robots' tokens stand in the query and in the last part of the path."""
    if url.startswith("secret:"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    host = parts.netloc.rpartition("@")[2]
    shown = "/***" if len(parts.path) > 1 else parts.path
    return f"{parts.scheme}://{host}{shown}" + ("?***" if parts.query else "")
