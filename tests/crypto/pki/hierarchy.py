"""A root, an intermediate below it, a server certificate and an OCSP responder, made once; with their revocation lists."""

from __future__ import annotations

from datetime import timedelta

from crypto.pki import building, ocsp, profiles
from crypto.pki.crl import RevocationList, Revoked, make_list
from crypto.pki.profiles import Profile
from crypto.sm2 import PrivateKey, generate
from crypto.x509 import Certificate
from tests.crypto.conftest import AT

DAY = timedelta(days=1)
KEYS = [generate() for _ in range(4)]
ROOT_KEY, MIDDLE_KEY, LEAF_KEY, OTHER_KEY = KEYS


def name(text: str):
    return building.name_of(f"CN={text},O=省数据局,C=CN")


ROOT = profiles.root(ROOT_KEY, name("root"), AT, 4000, 1)
MIDDLE = profiles.intermediate(MIDDLE_KEY.public, name("middle"), (ROOT_KEY, ROOT), AT, 2000, 0)


def leaf(profile: Profile = Profile.SERVER, names: tuple[str, ...] = ("web.example.cn", "10.0.0.1")) -> Certificate:
    return profiles.end_entity(profile, LEAF_KEY.public, name("web"), (MIDDLE_KEY, MIDDLE), AT, 365, names)


LEAF = leaf()
OCSP_KEY = OTHER_KEY
OCSP_CERTIFICATE = profiles.end_entity(Profile.OCSP, OCSP_KEY.public, name("ocsp"), (MIDDLE_KEY, MIDDLE), AT, 30)


def lists(revoked: dict[int, Revoked] | None = None) -> tuple[RevocationList, ...]:
    return make_list(MIDDLE_KEY, MIDDLE, revoked or {}, 7, AT), make_list(ROOT_KEY, ROOT, {}, 1, AT)


def responder(key: PrivateKey = OCSP_KEY, certificate: Certificate = OCSP_CERTIFICATE) -> ocsp.Responder:
    return ocsp.Responder(key=key, certificate=certificate, issuer=MIDDLE)
