"""Who meets whom over what: each test names an artefact, a direction, and the operations that a peer must offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from tests.peers.base import Peer
from tests.peers.gmssl import GmSsl
from tests.peers.openssl import OpenSsl4, System, Tongsuo
from tests.peers.oracles import GmAlg, GmsslPyx
from tests.peers.spoken import BouncyCastle, GmSm

PEERS: tuple[type[Peer], ...] = (System, OpenSsl4, Tongsuo, GmSsl, BouncyCastle, GmSm, GmsslPyx, GmAlg)
ARTEFACTS = (
    "SM3",
    "HMAC-SM3",
    "SM4-GCM",
    "SM2 signature, any user id",
    "SM2 ciphertext, DER",
    "SM2 ciphertext, C1C3C2",
    "SM2 ciphertext, C1C2C3",
    "SM2 key exchange",
    "private key, plain PKCS#8",
    "private key, PBES2 with 1.401.2",
    "private key, PBES2 with 1.401.3.1",
    "certificate chain",
    "certification request",
    "revocation list",
    "CMS signed, GM/T 0010",
    "CMS signed, PKCS#7",
    "CMS enveloped, GM/T 0010",
    "time stamp",
    "RFC 8998 channel",
)


class Way(StrEnum):
    """Who reads what the other one wrote."""

    THEY_READ = "→"
    WE_READ = "←"


@dataclass(frozen=True, slots=True)
class Cell:
    """One meeting of the matrix."""

    artefact: str
    peer: str
    way: Way


def meets(artefact: str, way: Way, *operations: str, but: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Run a test with every peer that offers the operations; ``but`` names those whose reason stands in ``reasons``."""
    assert artefact in ARTEFACTS
    able = [one for one in PEERS if all(hasattr(one, name) for name in operations) and one.name not in but]

    def mark(function: Any) -> Any:
        function.interop = (artefact, way)
        each = pytest.mark.parametrize("peer", [pytest.param(one, id=one.name) for one in able], indirect=True)
        return pytest.mark.peer(each(function))

    return mark


def cell_of(item: pytest.Item) -> Cell | None:
    """The cell that a collected test fills."""
    found = getattr(getattr(item, "obj", None), "interop", None)
    if found is None:
        return None
    return Cell(found[0], item.callspec.params["peer"].name, found[1])  # type: ignore[attr-defined]
