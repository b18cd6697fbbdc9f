"""Time stamps (时间戳, RFC 3161, GM/T 0033) with SM3 imprints and SM2 signatures: asking, granting, verifying."""

from crypto.cms.token import TimeInfo, Timestamp, read_token
from crypto.timestamp.authority import Authority
from crypto.timestamp.request import Request, make_request, parse_request
from crypto.timestamp.response import TimestampRefused, parse_response, verify_response
from crypto.timestamp.serials import Serials

__all__ = [
    "Authority",
    "Request",
    "Serials",
    "TimeInfo",
    "Timestamp",
    "TimestampRefused",
    "make_request",
    "parse_request",
    "parse_response",
    "read_token",
    "verify_response",
]
