"""Cross-site request forgery: a change must come from our own page, by its origin and by the session's token."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

HEADER = "x-csrf-token"
FIELD = "csrf"


def masked(token: str) -> str:
    """The token under a fresh random mask, so that compressed pages give nothing away about it (BREACH)."""
    plain = token.encode()
    mask = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(mask + bytes(a ^ b for a, b in zip(mask, plain, strict=True))).decode()


def unmasked(text: str) -> str:
    """The token below the mask; empty if there is none."""
    try:
        both = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return ""
    half = len(both) // 2
    return bytes(a ^ b for a, b in zip(both[:half], both[half:], strict=False)).decode("ascii", "replace")


def check_origin(request: Request) -> None:
    """Refuse a change that another site's page sends; 403."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        raise HTTPException(403, "cross-site request")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, "cross-site request")


def check_token(expected: str, given: str) -> None:
    """Refuse a change without this session's token; 403."""
    if not expected or not hmac.compare_digest(expected.encode(), unmasked(given).encode()):
        raise HTTPException(403, "the form is out of date")
