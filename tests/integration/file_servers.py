"""A real SFTP server (asyncssh) and an S3 stand-in (moto), each over a folder or bucket of a test's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh


class _Server(asyncssh.SSHServer):
    def __init__(self, passwords: dict[str, str], keys: list[Any]) -> None:
        self._passwords, self._keys = passwords, keys

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._passwords.get(username) == password

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, _username: str, key: Any) -> bool:
        return any(key.public_data == known.public_data for known in self._keys)


@contextmanager
def sftp(folder: Path, *, passwords: dict[str, str] | None = None, keys: list[Any] | None = None,
         ) -> Iterator[tuple[str, str]]:
    """(url, public host key) of a server whose root is `folder`."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    started = threading.Event()
    found: dict[str, Any] = {}

    def serve() -> None:
        asyncio.set_event_loop(loop)

        async def listen() -> None:
            found["server"] = await asyncssh.create_server(
                lambda: _Server(passwords or {}, keys or []), "127.0.0.1", 0, server_host_keys=[host_key],
                sftp_factory=lambda chan: asyncssh.SFTPServer(chan, chroot=str(folder).encode()))
            started.set()

        loop.run_until_complete(listen())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield f"sftp://127.0.0.1:{found['server'].get_port()}/", host_key.export_public_key().decode().strip()
    finally:
        loop.call_soon_threadsafe(found["server"].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def s3(bucket: str = "drops") -> Iterator[tuple[str, Any]]:
    """(endpoint, client) of an S3 with one empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key",
                          aws_secret_access_key="secret")
    client.create_bucket(Bucket=bucket)
    try:
        yield endpoint, client
    finally:
        server.stop()
