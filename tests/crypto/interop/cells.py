"""Who meets whom over what: each test names an artefact, a direction, and the operations that a peer must offer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
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
    "SM2 key exchange with confirmation",
    "SM2 key exchange, the key alone",
    "private key, plain PKCS#8",
    "private key, PBES2 with 1.401.2",
    "private key, PBES2 with 1.401.3.1",
    "certificate chain",
    "certification request",
    "revocation list",
    "OCSP response",
    "CMS signed, GM/T 0010",
    "CMS signed, as GmSSL",
    "CMS signed, PKCS#7",
    "CMS enveloped, GM/T 0010",
    "time-stamp request",
    "time-stamp response",
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
        function.interop = [Cell(artefact, one.name, way) for one in able]
        each = pytest.mark.parametrize("peer", [pytest.param(one, id=one.name) for one in able], indirect=True)
        return pytest.mark.peer(each(function))

    return mark


def cell_of(item: pytest.Item) -> Cell | None:
    """The cell that a collected test fills."""
    found = getattr(getattr(item, "obj", None), "interop", [])
    return next((one for one in found if one.peer == item.callspec.params["peer"].name), None)  # type: ignore[attr-defined]


def claimed() -> set[Cell]:
    """What the tests of this folder fill, whichever of them are run."""
    names = [one.stem for one in Path(__file__).parent.glob("test_*.py")]
    modules = [importlib.import_module(f"tests.crypto.interop.{one}") for one in names]
    found = [getattr(one, "interop", []) for module in modules for one in vars(module).values()]
    return {cell for cells in found for cell in cells}
