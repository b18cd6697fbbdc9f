"""Certificates (数字证书): requests, a CA of one's own, revocation lists, OCSP, chains, expiry.

Importing opens and loads nothing.
"""

from crypto.pki.authority import Authority
from crypto.pki.chain import Names, Policy, names_of, read_path, verify
from crypto.pki.crl import Reason, RevocationList, Revoked, load_list
from crypto.pki.csr import Request, make_request, read_request
from crypto.pki.expiry import Expiry, Level, report
from crypto.pki.ocsp import Responder, check_response
from crypto.pki.profiles import Profile
from crypto.pki.register import RegisterChanged
from crypto.pki.revocation import Revocations

__all__ = [
    "Authority",
    "Expiry",
    "Level",
    "Names",
    "Policy",
    "Profile",
    "Reason",
    "RegisterChanged",
    "Request",
    "Responder",
    "RevocationList",
    "Revocations",
    "Revoked",
    "check_response",
    "load_list",
    "make_request",
    "names_of",
    "read_path",
    "read_request",
    "report",
    "verify",
]
