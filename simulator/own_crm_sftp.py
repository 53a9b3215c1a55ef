"""The proprietary CRM's drops on an SFTP server: a password, a host key of its own, nothing above its folder."""

from __future__ import annotations

import asyncio
import secrets
import threading
from typing import Any

from simulator.own_crm_drops import Drops

USER = "tieout"


class Sftp:
    """Runs in a thread of its own. A client that looks finds the drop of the current moment."""

    def __init__(self, drops: Drops, keys: dict[str, str]) -> None:
        self._drops, self._keys = drops, keys
        self._server: Any = None
        drops.deliver()
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="own-crm", daemon=True)
        self._thread.start()
        if not started.wait(20):
            raise RuntimeError("the SFTP server did not start")

    def words(self) -> dict[str, Any]:
        """The connection's part in tieout.yml."""
        import asyncssh

        public = asyncssh.import_private_key(self._keys["host_key"]).export_public_key().decode()
        found = Drops.words()
        found["options"] |= {"url": f"sftp://127.0.0.1:{self._server.get_port()}/", "username": USER,
                             "host_key": " ".join(public.split()[:2])}
        return {"protocol": "files", "auth": "password", **found}

    def close(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, started: threading.Event) -> None:
        import asyncssh

        drops, password = self._drops, self._keys["password"]

        class Listing(asyncssh.SFTPServer):
            def __init__(self, chan: Any) -> None:
                super().__init__(chan, chroot=str(drops.folder).encode())

            def scandir(self, path: bytes) -> Any:
                drops.deliver()
                return super().scandir(path)

        class Door(asyncssh.SSHServer):
            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, given: str) -> bool:
                return username == USER and secrets.compare_digest(given, password)

        async def listen() -> None:
            key = asyncssh.import_private_key(self._keys["host_key"])
            self._server = await asyncssh.create_server(Door, "127.0.0.1", 0, server_host_keys=[key],
                                                        sftp_factory=Listing)
            started.set()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(listen())
        self._loop.run_forever()
