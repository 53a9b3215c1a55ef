"""The proprietary CRM as others see it. The same records go four ways: drops over SFTP, drops in a bucket, tables of a
database, and REST; `OwnCrmSite.face` says which of them tieout.yml names.
"""

from __future__ import annotations

import logging
import secrets
import threading
from pathlib import Path
from typing import Any

from simulator.habits import Habits, OwnCrmSite
from simulator.own_crm_drops import ZONE, Drops
from simulator.own_crm_rest import Rest
from simulator.own_crm_s3 import Bucket
from simulator.own_crm_sftp import Sftp
from simulator.own_crm_tables import Tables
from simulator.served import Clock, Database
from simulator.units import Unit

_LOOKS = 0.5  # seconds between two looks at the company's clock
log = logging.getLogger(__name__)


class OwnCrmServer:
    """See `systems.StandIn`. `account` (see `habits.OwnCrmSite`) may be changed while it runs, but for its face."""

    secret_names = ("password", "token", "access_key_id", "secret_access_key")

    def __init__(self, folder: Path, keys: dict[str, str], account: OwnCrmSite | None, habits: Habits, clock: Clock,
                 ) -> None:
        self.site = account or OwnCrmSite()
        self._folder, self._keys, self._clock = folder / "drops", keys, clock
        self._database = Database(folder, lambda _: None)
        self.habits = habits
        self._rest = Rest(self._database, keys, self.site, habits, clock)
        self._face: Sftp | Bucket | Tables | None = None
        self._url = ""
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """REST, whatever the face."""
        await self._rest(scope, receive, send)

    @staticmethod
    def make_keys() -> dict[str, str]:
        """A secret for each way in, and the SFTP server's own key."""
        import asyncssh

        key = asyncssh.generate_private_key("ssh-ed25519")
        return {"password": secrets.token_urlsafe(18), "token": secrets.token_urlsafe(24),
                "access_key_id": secrets.token_hex(10).upper(), "secret_access_key": secrets.token_urlsafe(30),
                "host_key": key.export_private_key().decode()}

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """All that the product is told: where, how written, what it means."""
        words = self._rest.words(url) if self._face is None else self._face.words()
        return {"system": "generic", "role": "crm", "time_zone": ZONE, "freshness": "2d", "currency": "USD", **words}

    def start(self, url: str) -> None:
        """Open the face. A bucket and a database cannot ask: a thread brings them what every new day brings."""
        if self.site.face == "rest":
            return
        if self.site.face == "database":
            self._face = Tables(self._database, self._keys, self.site.database)
        else:
            drops = Drops(self._folder, self._database, self._clock)
            self._face = (Sftp(drops, self._keys) if self.site.face == "sftp"
                          else Bucket(drops, self._keys, f"own-crm-{secrets.token_hex(4)}"))
        if not isinstance(self._face, Sftp):
            self._watcher = threading.Thread(target=self._watch, name="own-crm-days", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Stop what was started."""
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join(30)
        if self._face is not None:
            self._face.close()
            self._face = None
        self._database.close()

    def follow(self) -> None:
        """Bring bucket or database up to the current moment now, instead of soon."""
        if isinstance(self._face, Bucket | Tables):
            self._face.follow()

    def _watch(self) -> None:
        seen = self._clock.now()
        while not self._ended.wait(_LOOKS):
            if (now := self._clock.now()) == seen:
                continue
            try:
                self.follow()
                seen = now
            except Exception:
                log.exception("the CRM's %s could not follow the company's day; it is tried again", self.site.face)
