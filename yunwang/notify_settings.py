"""The part of the configuration that notices follow: channels, routes, rosters, figures (CONTRACT §1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer

from notify.channels.kinds import Config, check, masked
from notify.notice import Person
from notify.pace import Policy
from notify.rosters import Duty, Roster, Span
from notify.routing import Route, Step
from notify.week import parse_span
from records.alarms import Level
from records.errors import Problem

TEMPLATES = ("it is written like 22:00-07:00, mon-fri 08:30-17:30 or sat,sun",)
(WRITTEN_SPAN,) = TEMPLATES


def _span(text: str) -> str:
    try:
        parse_span(text)
    except ValueError:
        raise ValueError(WRITTEN_SPAN) from None
    return text


SpanText = Annotated[str, AfterValidator(_span)]
LevelName = Literal["critical", "high", "medium", "low"]
Names = tuple[str, ...]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NotifyChannel(_Part):
    """``[notify.NAME]``: one way to people; which keys a kind takes is in ``notify.channels.kinds``."""

    kind: Literal["dingtalk", "wecom", "feishu", "smtp", "webhook", "sms", "syslog"]
    url: str = Field(min_length=1)
    secret: str = ""
    private: bool = False
    per_minute: int | None = Field(default=None, ge=1, le=100_000)
    timeout_seconds: float = Field(default=10.0, ge=1, le=30)
    ca: str = ""
    sender: str = ""
    recipients: Names = ()
    username: str = ""
    starttls: bool = True
    template: str = ""
    content_type: Literal["application/json", "application/x-www-form-urlencoded"] = "application/json"
    success: str = ""
    mobiles: Names = ()
    dedupes: bool = False

    @field_serializer("url")
    def _masked(self, url: str) -> str:
        """Shown without the tokens that robots' addresses hold."""
        return masked(url)

    @field_serializer("secret")
    def _hidden(self, secret: str) -> str:
        """A reference is shown, what should be one is not."""
        return secret if secret.startswith("secret:") or not secret else "***"

    def config(self) -> Config:
        """As the package wants it."""
        return Config(**{name: getattr(self, name) for name in type(self).model_fields})


class Escalation(_Part):
    """Where a notice goes that nobody has acknowledged for so long."""

    after_minutes: int = Field(ge=1, le=10_080)
    channels: Names = Field(min_length=1)
    rosters: Names = ()


class NotifyRoute(_Part):
    """``[notify_routes.NAME]``: which notices go where."""

    channels: Names = Field(min_length=1)
    rosters: Names = ()
    organisations: Names = ()
    kinds: Names = ()
    levels: tuple[LevelName, ...] = ("critical", "high")
    hours: tuple[SpanText, ...] = ()
    quiet: tuple[SpanText, ...] = ()
    breaks: tuple[LevelName, ...] = ("critical",)
    escalate: tuple[Escalation, ...] = ()

    def route(self, name: str) -> Route:
        """As the engine wants it."""
        later = [
            Step(channels=one.channels, rosters=one.rosters, after=timedelta(minutes=one.after_minutes))
            for one in self.escalate
        ]
        return Route(
            name=name,
            steps=(Step(channels=self.channels, rosters=self.rosters), *later),
            organisations=frozenset(self.organisations),
            kinds=frozenset(self.kinds),
            levels=frozenset(map(Level, self.levels)),
            hours=_spans(self.hours),
            quiet=_spans(self.quiet),
            breaks=frozenset(map(Level, self.breaks)),
        )


def _spans(texts: tuple[str, ...]) -> tuple[Span, ...]:
    return tuple(map(parse_span, texts))


class RosterDuty(_Part):
    """One person's time on a roster; without hours always."""

    name: str = Field(min_length=1)
    mobile: str = Field(default="", pattern=r"^\+?[0-9]*$")
    mail: str = Field(default="", pattern=r"^([^@\s,<>]+@[^@\s,<>]+)?$")
    hours: tuple[SpanText, ...] = ()

    def duties(self) -> Iterator[Duty]:
        """One for each span."""
        person = Person(name=self.name, mobile=self.mobile, mail=self.mail)
        for span in _spans(self.hours) or (Span(),):
            yield Duty(person=person, span=span)


class NotifyRoster(_Part):
    """``[notify_rosters.NAME]``: who is on duty when."""

    duties: tuple[RosterDuty, ...] = Field(min_length=1)

    def roster(self) -> Roster:
        """As the engine wants it."""
        return Roster(duties=tuple(duty for one in self.duties for duty in one.duties()))


class NotifyPolicy(_Part):
    """``[notify_policy]``: the engine's figures; ``console_url`` is the base of links in messages."""

    dedupe_seconds: float = Field(default=300.0, ge=0, le=86_400)
    wait_seconds: float = Field(default=3.0, ge=0, le=600)
    window_seconds: float = Field(default=120.0, ge=0, le=86_400)
    tries: int = Field(default=8, ge=1, le=100)
    backoff_seconds: float = Field(default=10.0, gt=0, le=3600)
    longest_seconds: float = Field(default=1800.0, gt=0, le=86_400)
    console_url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")

    def policy(self) -> Policy:
        """As the engine wants it."""
        return Policy(**self.model_dump(exclude={"console_url"}))


def problems(
    channels: Mapping[str, NotifyChannel], routes: Mapping[str, NotifyRoute], rosters: Mapping[str, NotifyRoster]
) -> Iterator[tuple[tuple[str, ...], Problem]]:
    """What single values do not show: keys of another kind, names that nothing has. Each with its place."""
    for name, one in channels.items():
        for key, problem in check(one.config(), frozenset(one.model_fields_set)):
            yield ("notify", name, key), problem
    for name, route in routes.items():
        yield from _problems_of_route(name, route, channels, rosters)


def _problems_of_route(
    name: str, route: NotifyRoute, channels: Mapping[str, Any], rosters: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Problem]]:
    place = ("notify_routes", name)
    named = [(one, channels, "channels") for one in route.channels] + [
        (one, rosters, "rosters") for one in route.rosters
    ]
    for step in route.escalate:
        named += [(one, channels, "escalate") for one in step.channels]
        named += [(one, rosters, "escalate") for one in step.rosters]
    for one, there, key in named:
        if one not in there:
            said = {"name": one, "known": ", ".join(there) or "-"}
            channel = Problem("there is no channel '{name}'", "known here: {known}", values=said)
            roster = Problem("there is no roster '{name}'", "known here: {known}", values=said)
            yield (*place, key), channel if there is channels else roster
    minutes = [step.after_minutes for step in route.escalate]
    if minutes != sorted(set(minutes)):
        yield (*place, "escalate"), Problem("the minutes of the steps must rise", "put the earliest step first")


def placed(problem: Problem, where: str) -> Problem:
    """A problem at its place."""
    return replace(problem, where=where)
