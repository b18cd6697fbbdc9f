"""One request by one person: what every page gets, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse

from access.roles import Capability
from access.scope import Scope
from console import csrf, people
from console.deps import ConsoleDeps
from console.language import Translator, preferred
from console.navigation import entries
from console.people import Person
from console.templating import render
from inventory.model import Inventory
from records.errors import Translate

PASSWORD_PAGE = "/account/password"  # noqa: S105 - a path


class LoginRequiredError(Exception):
    """Nobody is logged in: a page leads to the login, anything else answers 401."""


class PasswordChangeRequiredError(Exception):
    """Only the password page is open until the password is changed."""


def translator_of(request: Request) -> Translator:
    """The reader's language."""
    return Translator(preferred(request.cookies.get("lang", ""), request.headers.get("accept-language", "")))


def teller_of(request: Request) -> Translate:
    """Errors in the reader's language: by the console's catalogue, else by that of the whole platform."""
    own, beyond = translator_of(request), deps_of(request).messages

    def tell(message: str) -> str:
        told = own(message)
        return beyond(own.language, message) if told == message else told

    return tell


@dataclass(frozen=True)
class Visit:
    """What a page handler works with.

    Attributes:
        scope: For which organisations the visitor has the capability that the page asks for, those below them included.
        at: The instant of the request.
        seen: The versions of all topics before anything was read for a page.
    """

    request: Request
    deps: ConsoleDeps
    person: Person
    scope: Scope
    at: datetime
    seen: str = ""

    @cached_property
    def translate(self) -> Translator:
        return translator_of(self.request)

    @cached_property
    def tell(self) -> Translate:
        """What errors are told with."""
        return teller_of(self.request)

    @cached_property
    def inventory(self) -> Inventory:
        return self.deps.inventory()

    def scope_of(self, capability: Capability) -> Scope | None:
        """The scope for another capability than the page's own."""
        found = self.person.scope(capability)
        return None if found is None else found.widened(self.inventory)

    def page(self, template: str, code: int = 200, **context: Any) -> HTMLResponse:
        """A whole page around the template's content."""
        return HTMLResponse(render(template, self.translate, {**frame(self), **context}), status_code=code)


def frame(visit: Visit) -> Mapping[str, Any]:
    """What the layout of every page needs."""
    request, session = visit.request, visit.person.session
    return {
        **bare_frame(request, visit.deps, visit.at),
        "person": visit.person,
        "seen": visit.seen,
        "navigation": entries(visit.person),
        "csrf": csrf.masked(session.csrf) if session else "",
    }


def bare_frame(request: Request, deps: ConsoleDeps, at: datetime) -> Mapping[str, Any]:
    """What the layout needs also while nobody is logged in."""
    theme = request.cookies.get("theme", "")
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return {
        "path": request.url.path,
        "here": here,
        "here_quoted": quote(here, safe=""),
        "theme": theme if theme in {"light", "dark"} else "auto",
        "demo": deps.demo,
        "at": at,
        "version": deps.version,
        "person": None,
    }


def deps_of(request: Request) -> ConsoleDeps:
    """The dependencies that the app was made with."""
    found: ConsoleDeps = request.app.state.deps
    return found


def visiting(capability: Capability | None) -> Callable[[Request], Visit]:
    """A dependency: the visit of a logged-in person who has the capability; None asks only for the login."""

    def visit(request: Request) -> Visit:
        deps = deps_of(request)
        at = deps.clock()
        person = people.of_session(request, deps, at)
        if person is None:
            raise LoginRequiredError
        if person.user.must_change and request.url.path not in {PASSWORD_PAGE, "/logout"}:
            raise PasswordChangeRequiredError
        return replace(_allowed(request, deps, person, capability, at), seen=request.app.state.hub.seen())

    visit.capability = capability  # type: ignore[attr-defined]  # read by the tests that walk over all routes
    return visit


def api_visiting(capability: Capability) -> Callable[[Request], Visit]:
    """The same for the API: a bearer token, or the session of the page that asks."""

    def visit(request: Request) -> Visit:
        deps = deps_of(request)
        at = deps.clock()
        person = people.of_token(request, deps, at) or people.of_session(request, deps, at)
        if person is None:
            raise HTTPException(401, "log in or send a bearer token", {"WWW-Authenticate": "Bearer"})
        if person.session and person.user.must_change:  # a token's user may be a program, which changes no password
            raise HTTPException(403, "change the password first")
        return _allowed(request, deps, person, capability, at)

    visit.capability = capability  # type: ignore[attr-defined]  # read by the tests that walk over all routes
    return visit


def _allowed(request: Request, deps: ConsoleDeps, person: Person, capability: Capability | None, at: datetime) -> Visit:
    if capability is None:
        return Visit(request, deps, person, Scope(frozenset()), at)
    scope = person.scope(capability)
    if scope is None:
        raise HTTPException(403, "your roles do not permit this")
    return Visit(request, deps, person, scope.widened(deps.inventory()), at)


def check_change(visit: Visit, token: str) -> None:
    """Refuse a change that does not come from our own page in this session; 403."""
    csrf.check_origin(visit.request)
    if visit.person.session is None:
        raise HTTPException(403, "the form is out of date")
    csrf.check_token(visit.person.session.csrf, token)


def login_address(request: Request) -> str:
    """The login page that leads back here."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if here == "/" else "/login?" + urlencode({"next": here})


def local_path(text: str) -> str:
    """A path of this site, or ``/``: a login must not lead to another site."""
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if good else "/"
