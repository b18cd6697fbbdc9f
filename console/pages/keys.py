"""Cryptography of the site (密码服务): keys, certificates, providers, and a file to verify by upload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from access.roles import Capability
from console import csrf
from console.lists import keys
from console.uploads import UPLOAD_BYTES, Desk, Upload
from console.visit import Visit, check_change, visiting
from records.errors import UserError

router = APIRouter(include_in_schema=False)
KeyReader = Annotated[Visit, Depends(visiting(Capability.KEYS_READ))]
RECEIVE_SECONDS = 300.0
_FORM_BYTES = 65_536  # what stands around the files
_FIELDS = 4
_COUNTED_HERE = 1 << 40  # for the framework, whose answer to a longer body is a bare line in English
_TABLES = {"certificates": keys.CERTIFICATES, "keys": keys.KEYS, "providers": keys.PROVIDERS}


class TooBigError(UserError):
    """More bytes than an upload may have."""

    def __init__(self) -> None:
        super().__init__(
            "the file is larger than {limit} MiB",
            "use `yw verify` on the command line",
            where="file",
            limit=UPLOAD_BYTES >> 20,
        )


@router.get("/crypto")
def overview(visit: KeyReader) -> HTMLResponse:
    """Everything about the site's cryptography that is no secret."""
    keyring = visit.deps.keyring
    faults: dict[str, str] = {}
    rows = {
        "certificates": keyring.certificates(),
        "keys": _or_fault(visit, keyring.keys, "keys", faults),
        "providers": keyring.providers(),
    }
    fallbacks = sum(keyring.fallbacks().values())
    return visit.page("crypto.html", rows=rows, tables=_TABLES, faults=faults, fallbacks=fallbacks, **_form())


def _or_fault(
    visit: Visit, read: Callable[[], Sequence[Mapping[str, Any]]], name: str, faults: dict[str, str]
) -> Sequence[Mapping[str, Any]]:
    """The rows; a keystore that cannot be read safely is told in its place, and the rest is shown."""
    try:
        return read()
    except UserError as error:
        faults[name] = f"{error.problems[0].text(visit.tell)} — {error.problems[0].advice(visit.tell)}"
        return ()


def _form() -> Mapping[str, Any]:
    return {"limit": UPLOAD_BYTES >> 20}


@router.get("/crypto/verify")
def verify_form(visit: KeyReader) -> HTMLResponse:
    """The form."""
    return _answer(visit)


def _answer(visit: Visit, code: int = 200, **shown: Any) -> HTMLResponse:
    empty: dict[str, Any] = {"verdict": None, "name": "", "problems": []}
    return visit.page("crypto_verify.html", code, **{**empty, **_form(), **shown})


@router.post("/crypto/verify", max_body_size=_COUNTED_HERE)
async def verify(visit: KeyReader) -> Response:
    """What ``yw verify`` says of the files of the form; the body is read only for those who may send one."""
    csrf.check_origin(visit.request)
    try:
        form = await _received(visit.request)
    except TooBigError as error:
        return _refused(visit, error, 413)
    try:
        check_change(visit, str(form.get("csrf") or ""))
        return await _verdict(visit, _upload(form, "file"), _upload(form, "signature"))
    finally:
        await form.close()


def _refused(visit: Visit, error: UserError, code: int) -> HTMLResponse:
    told = [(one.text(visit.tell), one.advice(visit.tell)) for one in error.problems]
    return _answer(visit, code, problems=told)


async def _received(request: Request) -> FormData:
    """The form, its files spooled to temporary ones; 408 from a sender that stalls, TooBigError."""
    if int(request.headers.get("content-length") or 0) > UPLOAD_BYTES + _FORM_BYTES:
        raise TooBigError
    counted = Request(request.scope, _counting(request.receive))
    try:
        return await asyncio.wait_for(
            counted.form(max_files=2, max_fields=_FIELDS, max_part_size=_FORM_BYTES), RECEIVE_SECONDS
        )
    except TimeoutError:
        raise HTTPException(408, "the file did not arrive in time") from None


def _counting(receive: Receive) -> Receive:
    """The same body; TooBigError as soon as it is longer than a form may be."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > UPLOAD_BYTES + _FORM_BYTES:
            raise TooBigError
        return message

    return counted


def _upload(form: FormData, name: str) -> Upload | None:
    """The file of a field; None where nobody chose one."""
    found = form.get(name)
    return Upload(name=found.filename, stream=found.file) if isinstance(found, UploadFile) and found.filename else None


async def _verdict(visit: Visit, upload: Upload | None, signature: Upload | None) -> HTMLResponse:
    desk: Desk = visit.request.app.state.desk
    try:
        found = await desk.verify(upload, signature)
    except UserError as error:
        return _refused(visit, error, 400)
    return _answer(visit, verdict=found.as_json(visit.tell), name=upload.safe_name if upload else "")
