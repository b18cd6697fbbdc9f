"""What is told (通知), to whom, and what came of it: the records between the engine and its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from records.alarms import LEVELS, Level

LONGEST_TITLE = 200
LONGEST_LINE = 500
MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Why:
    """A reason that is kept in the delivery log and told in the reader's language.

    Attributes:
        template: English, in ``str.format`` syntax; a literal in the call, so that it is translated.
        values: What it is filled with; plain JSON values.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that people shall hear of. It never holds a secret: its maker chooses each field.

    Attributes:
        id: The same thing has the same id: a second notice of that id changes nothing.
        at: When it happened.
        key: What it is about; a further notice of this key within the dedupe time is suppressed.
        kind: ``alert``, ``test``, ``delivery`` …
        organisation: Id, for routing; None concerns nobody in particular.
        alert: Id of the alert that it tells of.
        alike: Notices with the same word here go out as one message.
        links: Name to address.
        fields: For machines: webhook and syslog send them as they are.
    """

    id: str
    at: datetime
    key: str
    kind: str
    level: Level
    title: str
    body: tuple[str, ...] = ()
    organisation: str | None = None
    alert: str | None = None
    alike: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"notice {self.id}: naive instant {self.at!r}")
        if not self.id or not self.key or self.level is Level.INFORMATIONAL:
            raise ValueError(f"notice {self.id!r}: needs an id, a key and a level of low or above")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody on a roster; what is absent, the channel cannot use.

    Attributes:
        mobile: Mentioned by 钉钉 and 企业微信, called by the SMS gateway.
        mail: Receives what the mail channel sends.
    """

    name: str
    mobile: str = ""
    mail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends at once: one notice, or several alike.

    Attributes:
        id: Stays the same over all tries: peers that know it drop a repetition.
        step: 0, or which step of the escalation.
        to: Who is on duty.
        repeated: An earlier try may have arrived.
    """

    id: str
    notices: tuple[Notice, ...]
    step: int = 0
    to: tuple[Person, ...] = ()
    repeated: bool = False

    @property
    def level(self) -> Level:
        """The highest among its notices."""
        return max((one.level for one in self.notices), key=LEVELS.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The peer took it; ``note`` tells what it did not take, such as one address of several."""

    note: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Not now.

    Attributes:
        after_seconds: What the peer asks for; None leaves it to the back-off.
        reached: The peer answered, or may have taken the message.
    """

    why: Why
    after_seconds: float | None = None
    reached: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Never: trying again would not help, a person must change something."""

    why: Why


Receipt = Delivered | Retry | Failed


class Sender(Protocol):
    """One way to people. ``send`` answers within its time limit and never raises for what the peer does."""

    def send(self, message: Message) -> Receipt:
        """Send one message."""
        ...


class Channel(Sender, Protocol):
    """A sender as the engine sees it."""

    @property
    def per_minute(self) -> int | None:
        """Most messages in any 60 s; None has no limit."""
        ...

    @property
    def dedupes(self) -> bool:
        """The peer drops a second message of the same id, so one may be sent again after a crash."""
        ...
