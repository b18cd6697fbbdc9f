"""Passwords: argon2id, and what a password must be (GB/T 22239 8.1.4.1 a)."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from access.breached import is_breached
from records.errors import Problem

_LONGEST = 256  # bounds the work of one hash
_WEAK = re.compile(
    "password|passw0rd|p@ssw0rd|admin@123|admin123|root@123|test@123|huawei@123|huawei12#|h3c@123|qwerty|qwer1234"
    "|1qaz2wsx|1q2w3e4r|abc123|a123456|123456789|woaini|yunwang|heilongjiang|haerbin|zhengwu"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a password must be (GB/T 22239 8.1.4.1 a, c).

    Attributes:
        minimum_length: Characters.
        minimum_classes: Of capitals, small letters, digits, signs.
        remembered: The last passwords of a user that may not come back.
        lifetime: After which it must be changed at the next login; None: never.
        breached: A list of passwords that others lost; None: no list.
    """

    minimum_length: int = 10
    minimum_classes: int = 3
    remembered: int = 5
    lifetime: timedelta | None = timedelta(days=90)
    breached: Path | None = None


DEFAULT = Policy()
_ALPHABET = "".join(letter for letter in string.ascii_letters + string.digits if letter not in "0O1lI")
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Argon2id in PHC form, with the library's parameters (RFC 9106, low memory); about 50 ms of CPU."""
    return _hasher.hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether the password belongs to the stored hash."""
    try:
        return _hasher.verify(stored, password[:_LONGEST])
    except (VerificationError, InvalidHashError):
        return False


@cache
def dummy_hash() -> str:
    """What an unknown account is compared with, so that it costs the same time as a known one."""
    return hash_password(secrets.token_hex(16))


def one_time_password() -> str:
    """A fresh password of four groups, 93 bits, without letters that look alike."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def check_password(password: str, name: str, policy: Policy = DEFAULT) -> list[Problem]:
    """What speaks against a new password of that user; empty if it is good. UserError if the list cannot be read."""
    folded = password.casefold()
    verdicts = (
        (not policy.minimum_length <= len(password) <= _LONGEST, _length(policy)),
        (_classes(password) < policy.minimum_classes, _mix(policy)),
        (name.casefold() in folded, _NAMED),
        (_WEAK.search(folded) is not None, _KNOWN),
        (policy.breached is not None and is_breached(password, policy.breached), _LOST),
    )
    return [problem for bad, problem in verdicts if bad]


def _length(policy: Policy) -> Problem:
    return Problem(
        "the password is too short or too long",
        "use {minimum} to {longest} characters",
        "password",
        {"minimum": policy.minimum_length, "longest": _LONGEST},
    )


def _mix(policy: Policy) -> Problem:
    return Problem(
        "the password mixes too few kinds of characters",
        "mix {classes} of: capitals, small letters, digits, signs",
        "password",
        {"classes": policy.minimum_classes},
    )


_LOST = Problem("the password is in a list of passwords that others lost", "choose another one", "password")
_NAMED = Problem("the password contains the user name", "choose one without the name in it", "password")
_KNOWN = Problem("the password is a well-known one", "choose one that nobody would guess", "password")


def _classes(password: str) -> int:
    tests = (str.isupper, str.islower, str.isdigit, lambda letter: not letter.isalnum())
    return sum(any(test(letter) for letter in password) for test in tests)
