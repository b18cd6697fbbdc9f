"""Concrete things put together: the only place that knows which engine stands behind which port."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from records.errors import UserError
from records.instants import now
from yunwang.cli.call import Call, current
from yunwang.place import Place
from yunwang.secrets import Resolve, passphrase, resolver
from yunwang.settings import Settings, load

if TYPE_CHECKING:
    import sqlalchemy as sa

    from crypto.keys.keystore import KeyStore
    from crypto.pki.site import SiteIdentity
    from crypto.timestamp import Authority
    from inventory.model import Inventory
    from storage.port import RecordStore
    from storage.spool import SpoolReader


DEMO_DEFAULTS = {"collect": {"snmp_interval_seconds": 10, "usage_window_seconds": 120}}  # so that one can watch it move


@dataclass(frozen=True)
class Site:
    """One data folder at work; everything opens on first use."""

    place: Place
    settings: Settings

    @cached_property
    def state(self) -> sa.Engine:
        """The state database, migrated."""
        from storage.migrate import migrate  # noqa: PLC0415 - opened on first use
        from storage.state import open_state  # noqa: PLC0415

        engine = open_state(self.settings.state.url or f"sqlite:///{self.place.state}")
        migrate(engine)
        return engine

    @cached_property
    def store(self) -> RecordStore:
        """The record store, for reading."""
        return self.open_store(writer=False)

    def open_store(self, *, writer: bool) -> RecordStore:
        """A record store of its own; only the worker asks for a writer."""
        from storage.embedded import EmbeddedStore  # noqa: PLC0415 - pyarrow on first use

        return EmbeddedStore(self.place.records, writer=writer)

    @cached_property
    def spool(self) -> SpoolReader:
        from storage.spool import SpoolReader  # noqa: PLC0415 - opened on first use

        return SpoolReader(self.place.spool)

    @property
    def inventory(self) -> Inventory:
        """The inventory in force now."""
        return self.inventory_revision()[1]

    def inventory_revision(self) -> tuple[int, Inventory]:
        """Revision number and inventory; read again only after a change."""
        from inventory.model import Inventory  # noqa: PLC0415 - on first use
        from inventory.restoring import restore  # noqa: PLC0415
        from storage import inventory as kept  # noqa: PLC0415

        number = kept.revision(self.state)
        cached: tuple[int, Inventory] | None = self.__dict__.get("_inventory")
        if cached is None or cached[0] != number:
            text = kept.load(self.state)
            cached = (number, restore(text) if text else Inventory())
            self.__dict__["_inventory"] = cached
        return cached

    @cached_property
    def keystore(self) -> KeyStore:
        from crypto.keys.keystore import KeyStore  # noqa: PLC0415 - opened on first use

        return KeyStore(self.place.keys, passphrase(self.place))

    @cached_property
    def resolve(self) -> Resolve:
        """From ``secret:…`` to the secret."""
        return resolver(lambda: self.keystore)

    @cached_property
    def identity(self) -> SiteIdentity:
        """The signing identity; made on first use, together with the site's CA and ``ca.pem``."""
        from crypto.pki.site import ensure_site_identity  # noqa: PLC0415 - opened on first use

        found = ensure_site_identity(self.keystore, self.place.ca, self.organisation, now())
        return replace(found, stamp=self.time_stamps(self.settings.crypto.tsa))

    @cached_property
    def authority(self) -> Authority:
        """The site's own time-stamp authority; its key is made on first use."""
        from crypto.pki.site import ensure_site_timestamper  # noqa: PLC0415 - opened on first use
        from crypto.timestamp import Authority, Serials  # noqa: PLC0415

        found = ensure_site_timestamper(self.keystore, self.organisation, now())
        return Authority(identity=found, serials=Serials(self.place.timestamps))

    def time_stamps(self, who: str) -> Callable[[bytes], bytes] | None:
        """Who time-stamps a signature value: None for nobody, the ``site`` itself, or the authority at a URL."""
        from crypto.timestamp.client import source  # noqa: PLC0415 - http on first use

        if not who:
            return None
        return self._stamp if who == "site" else source(who)

    def _stamp(self, signature: bytes) -> bytes:
        return self.authority.stamp(signature)

    @property
    def organisation(self) -> str:
        """What the site's own certificates call it."""
        return "Yunwang demo" if self.place.demo else "Yunwang"

    @property
    def actor(self) -> str:
        """Who this call acts as (CONTRACT §10)."""
        from yunwang.acting import actor  # noqa: PLC0415 - asks the state database

        return actor(self.state)

    def prepare(self) -> None:
        """Make the data folder; UserError if it cannot be written."""
        root = self.place.root
        try:
            for folder in (root, self.place.run, self.place.spool, self.place.records):
                folder.mkdir(parents=True, exist_ok=True)
            root.chmod(stat.S_IRWXU)
            probe = self.place.run / f".probe-{os.getpid()}"
            probe.write_bytes(b"x")
            probe.unlink()
        except OSError as error:
            reason = error.strerror or error
            advice = "free space or mend its permissions, or choose another with --data DIR"
            raise UserError("cannot write the data folder: {reason}", advice, where=str(root), reason=reason) from error


def open_site(call: Call | None = None, *, demo: bool | None = None, must_exist: bool = True) -> Site:
    """The site that a call acts on; UserError if there is nothing yet and there must be."""
    chosen = call or current()
    place = chosen.place(demo=demo)
    settings = settings_of(chosen, place)
    order_providers(settings)
    if must_exist and not place.ca.exists():
        raise UserError(
            "there is no data in {folder}",
            "run `yw up` for the demo, or `yw inventory import PATH` for a site",
            where=str(place.root),
            folder=place.root,
        )
    return Site(place, settings)


def settings_of(call: Call, place: Place) -> Settings:
    """The settings in force for a place: ``--config``, else the data folder's; the demo has defaults of its own."""
    base = DEMO_DEFAULTS if place.demo else None
    return load(call.config or place.config, required=call.config is not None, base=base)


def order_providers(settings: Settings) -> None:
    """Ask crypto providers in the configured order; the default needs no word, and no import."""
    wanted = settings.crypto
    if wanted != type(wanted)(ca=wanted.ca, tsa=wanted.tsa):
        from crypto.providers.registry import Options, configure  # noqa: PLC0415 - loads libcrypto

        options = Options(
            allow_slow_reference=wanted.allow_slow_reference,
            sdf_library=wanted.sdf_library,
            sdf_decrypt=wanted.sdf_decrypt,
            accelerator_library=wanted.accelerator_library,
        )
        configure(wanted.providers, options)
