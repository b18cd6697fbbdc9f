"""How the console refuses: pages for people, ``application/problem+json`` for programs (RFC 9457)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from console.security import HEADERS
from console.templating import render
from console.visit import (
    PASSWORD_PAGE,
    LoginRequiredError,
    PasswordChangeRequiredError,
    bare_frame,
    deps_of,
    login_address,
    teller_of,
    translator_of,
)
from records.errors import Problem, RefusedError, UnknownError, UserError
from records.validation import problem_of
from storage.unavailable import UnavailableError

_TITLES: Mapping[int, str] = {
    400: "请求有误",
    401: "需要登录",
    403: "没有权限",
    404: "没有这个页面",
    405: "不支持的方法",
    413: "请求过大",
    422: "请求有误",
    429: "过于频繁",
    500: "内部错误",
    503: "暂不可用",
}


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def problem_json(
    request: Request, status: int, detail: str, errors: list[dict[str, str]] | None = None
) -> JSONResponse:
    """One problem; ``instance`` is an id that the log holds too."""
    translate = translator_of(request)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": translate(_TITLES.get(status, HTTPStatus(status).phrase)),
        "status": status,
        "detail": detail,
        "instance": f"urn:yunwang:request:{secrets.token_hex(8)}",
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def problem_page(request: Request, status: int, detail: str, advice: str = "") -> HTMLResponse:
    """The same for people."""
    translate, deps = translator_of(request), deps_of(request)
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    context = {
        **bare_frame(request, deps, deps.clock()),
        "title": title,
        "status": status,
        "detail": detail,
        "advice": advice,
    }
    return HTMLResponse(render("problem.html", translate, context), status_code=status)


def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    plain = str(error.detail) == HTTPStatus(error.status_code).phrase  # says no more than the title
    detail = "" if plain else translator_of(request)(str(error.detail))
    made = problem_json if _wants_json(request) else problem_page
    response: Response = made(request, error.status_code, detail)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _on_user_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, UserError):
        raise error
    return _tell(request, status_of(error), error.problems)


def status_of(error: UserError) -> int:
    """403 for what policy refuses, 404 for what is not there, 503 while a store cannot be used, else 400."""
    kinds = ((RefusedError, 403), (UnknownError, 404), (UnavailableError, 503))
    return next((status for kind, status in kinds if isinstance(error, kind)), 400)


def _tell(request: Request, status: int, problems: Sequence[Problem]) -> Response:
    tell, first = teller_of(request), problems[0]
    if _wants_json(request):
        return problem_json(request, status, first.text(tell), [one.as_json(tell) for one in problems])
    return problem_page(request, status, first.text(tell), first.advice(tell))


def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return _tell(request, 422, [_of_pydantic(one) for one in error.errors()])


def _of_pydantic(error: Mapping[str, Any]) -> Problem:
    return problem_of(error, ".".join(map(str, error["loc"])), key=str(error["loc"][-1]))


def _on_login_required(request: Request, _error: Exception) -> Response:
    if "hx-request" in request.headers or request.url.path == "/events":
        return Response(status_code=401, headers={"HX-Redirect": login_address(request)})  # htmx goes there
    return RedirectResponse(login_address(request), 303)


def _on_password_change_required(_request: Request, _error: Exception) -> Response:
    return RedirectResponse(PASSWORD_PAGE, 303)


def _on_defect(request: Request, _error: Exception) -> Response:
    detail = translator_of(request)("服务器内部出错，详情已写入日志。")
    answer = problem_json(request, 500, detail) if _wants_json(request) else problem_page(request, 500, detail)
    answer.headers.update({**HEADERS, "cache-control": "no-store"})  # this one passes outside of the middleware
    return answer


def install(app: FastAPI) -> None:
    """Put the handlers into an app; a defect is still raised after its answer, so that the server logs it."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(UserError, _on_user_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(LoginRequiredError, _on_login_required)
    app.add_exception_handler(PasswordChangeRequiredError, _on_password_change_required)
    app.add_exception_handler(Exception, _on_defect)
