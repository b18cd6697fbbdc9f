"""Login, logout, password, preferences (登录、口令、偏好)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from access import login
from console import csrf, people
from console.deps import ConsoleDeps
from console.figures import instant
from console.templating import render
from console.visit import PASSWORD_PAGE, Visit, bare_frame, check_change, deps_of, local_path, translator_of, visiting
from records.errors import UserError

router = APIRouter(include_in_schema=False)
_LOGIN_COOKIE = "yunwang_login"  # carries the token of the login form, before there is a session
_YEAR_SECONDS = 31_536_000
Text = Annotated[str, Form()]


@router.get("/login")
def login_form(request: Request, next: str = "/") -> HTMLResponse:  # noqa: A002 - the name in the address
    """The login page."""
    return _login_page(request, next, status=200, message="", name="")


def _login_page(request: Request, after: str, *, status: int, message: str, name: str) -> HTMLResponse:
    deps, token = deps_of(request), secrets.token_urlsafe(24)
    context = {"after": local_path(after), "message": message, "name": name, "csrf": csrf.masked(token)}
    page = render("login.html", translator_of(request), {**bare_frame(request, deps, deps.clock()), **context})
    answer = HTMLResponse(page, status_code=status)
    answer.set_cookie(_LOGIN_COOKIE, token, httponly=True, secure=deps.secure, samesite="strict", path="/login")
    return answer


@router.post("/login")
def log_in(
    request: Request,
    name: Text = "",
    password: Text = "",
    after: Text = "/",
    csrf_token: Annotated[str, Form(alias="csrf")] = "",
) -> Response:
    """Open a session and go to the page that was asked for."""
    csrf.check_origin(request)
    csrf.check_token(request.cookies.get(_LOGIN_COOKIE, ""), csrf_token)
    deps, at = deps_of(request), deps_of(request).clock()
    try:
        opened = _open(request, deps, name.strip(), password, at)
    except login.LockedError as error:
        message = translator_of(request)("登录失败次数过多，{until} 之前不能登录。", until=instant(error.until))
        return _login_page(request, after, status=429, message=message, name=name)
    except login.LoginError:
        message = translator_of(request)("用户名或口令不正确。连续五次失败将锁定 15 分钟。")
        return _login_page(request, after, status=401, message=message, name=name)
    return _entered(deps, opened, after)


def _open(request: Request, deps: ConsoleDeps, name: str, password: str, at: datetime) -> login.Login:
    counter = request.app.state.metrics.logins
    address, agent = people.address_of(request, deps), request.headers.get("user-agent", "")
    try:
        opened = login.log_in(
            deps.engine, name, password, at, address=address, agent=agent, limits=deps.limits, policy=deps.passwords
        )
    except login.LoginError:
        counter.labels("failure").inc()
        raise
    counter.labels("success").inc()
    return opened


def _entered(deps: ConsoleDeps, opened: login.Login, after: str) -> Response:
    answer = RedirectResponse(PASSWORD_PAGE if opened.user.must_change else local_path(after), 303)
    answer.set_cookie(
        people.cookie_name(deps), opened.cookie, httponly=True, secure=deps.secure, samesite="lax", path="/"
    )
    answer.delete_cookie(_LOGIN_COOKIE, path="/login")
    return answer


LoggedIn = Annotated[Visit, Depends(visiting(None))]


@router.post("/logout")
def log_out(visit: LoggedIn, csrf_token: Annotated[str, Form(alias="csrf")] = "") -> Response:
    """End the session."""
    check_change(visit, csrf_token)
    if visit.person.session is not None:
        login.log_out(visit.deps.engine, visit.person.session, visit.at)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(people.cookie_name(visit.deps), path="/", secure=visit.deps.secure, httponly=True)
    return answer


@router.get(PASSWORD_PAGE)
def password_form(visit: LoggedIn) -> HTMLResponse:
    """The form for a new password."""
    return _password_page(visit)


def _password_page(visit: Visit, code: int = 200, problems: Sequence[tuple[str, str]] = ()) -> HTMLResponse:
    must, policy = visit.person.user.must_change, visit.deps.passwords
    return visit.page("password.html", code, problems=problems, must_change=must, policy=policy)


@router.post(PASSWORD_PAGE)
def change_password(
    visit: LoggedIn,
    old: Text = "",
    new: Text = "",
    again: Text = "",
    csrf_token: Annotated[str, Form(alias="csrf")] = "",
) -> Response:
    """Change one's own password; all sessions end, so the next step is the login."""
    check_change(visit, csrf_token)
    try:
        _check_same(new, again)
        address = people.address_of(visit.request, visit.deps)
        login.change_password(
            visit.deps.engine,
            visit.person.user.name,
            old,
            new,
            visit.at,
            address=address,
            policy=visit.deps.passwords,
        )
    except UserError as error:
        problems = [(one.text(visit.tell), one.advice(visit.tell)) for one in error.problems]
        return _password_page(visit, 400, problems)
    return RedirectResponse("/login", 303)


def _check_same(new: str, again: str) -> None:
    if new != again:
        raise UserError("the two new passwords differ", "type the same one twice", where="again")


@router.get("/preferences")
def preferences(request: Request, lang: str = "", theme: str = "", next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Remember language or theme in a cookie and go back; changes nothing on the server."""
    answer = RedirectResponse(local_path(next), 303)
    for name, value, allowed in (("lang", lang, {"zh", "en"}), ("theme", theme, {"light", "dark", "auto"})):
        if value in allowed:
            answer.set_cookie(
                name, value, max_age=_YEAR_SECONDS, samesite="lax", secure=deps_of(request).secure, path="/"
            )
    return answer
