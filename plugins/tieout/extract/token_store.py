"""The newest refresh token of a connection, in the warehouse: one for all machines that land, sealed, behind a lock.

The lock is Postgres's and belongs to the transaction that reads, asks and commits: a killed process holds nothing, and
what it did not commit is not there. A second process waits. What is stored is a ciphertext (AES-256-GCM), its key made
from the configured token with which the chain began: a copy of the database gives nobody access.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from os import urandom
from typing import TYPE_CHECKING

import msgspec

from tieout.errors import SourceError
from tieout.extract.rotating import Grant

if TYPE_CHECKING:
    import psycopg

LOCK_SECONDS = 180
_NONCE = 12


class WarehouseTokens:
    """See `rotating.TokenStore`. `seed` is the configured token."""

    def __init__(self, connection: str, seed: str) -> None:
        self._connection, self._seed = connection, seed.encode()
        self._chain = blake2b(self._seed, digest_size=16, person=b"tieout chain").hexdigest()

    @contextmanager
    def locked(self) -> Iterator[WarehouseChain]:
        """Waits for its turn, for some minutes at most: SourceError, then."""
        import psycopg

        from tieout.warehouse.connect import connect, present

        with present(f"renewing the token of {self._connection}"), \
                connect("loader", application=f"tieout token {self._connection}") as db:
            try:
                db.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
                db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 7))", (f"token/{self._connection}",))
            except psycopg.errors.LockNotAvailable:
                raise SourceError(
                    f"connection {self._connection}: another process has been renewing its token for {LOCK_SECONDS} s",
                    hint="see pg_stat_activity for `tieout token`; end it, and run again") from None
            yield WarehouseChain(self, db)

    def read(self, db: psycopg.Connection) -> Grant | None:
        """The newest tokens of this chain. SourceError for a row that is not what was written."""
        from cryptography.exceptions import InvalidTag

        found = db.execute("select sealed, generation from ops.oauth_token where connection = %s and chain = %s",
                           (self._connection, self._chain)).fetchone()
        if found is None:
            return None
        sealed, generation = found
        try:
            opened = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], self._about(generation))
        except InvalidTag:
            raise SourceError(
                f"connection {self._connection}: its row in ops.oauth_token was changed by somebody else",
                hint="restore the row, or connect anew: a new refresh_token begins a new chain") from None
        return msgspec.json.decode(opened, type=Grant)

    def write(self, db: psycopg.Connection, grant: Grant) -> None:
        """Commits. The lock ends with it."""
        nonce = urandom(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, msgspec.json.encode(grant), self._about(grant.generation))
        until = None if grant.refresh_ends_at is None else datetime.fromtimestamp(grant.refresh_ends_at, UTC)
        db.execute(
            "insert into ops.oauth_token (connection, chain, sealed, generation, refresh_ends_at) "
            "values (%s, %s, %s, %s, %s) on conflict (connection, chain) do update set sealed = excluded.sealed, "
            "generation = excluded.generation, refresh_ends_at = excluded.refresh_ends_at, "
            "refreshed_at = clock_timestamp()", (self._connection, self._chain, sealed, grant.generation, until))
        db.commit()

    def _cipher(self):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(blake2b(self._seed, digest_size=32, person=b"tieout token").digest())

    def _about(self, generation: int) -> bytes:
        return f"{self._connection}/{self._chain}/{generation}".encode()


class WarehouseChain:
    """See `rotating.Chain`."""

    def __init__(self, tokens: WarehouseTokens, db: psycopg.Connection) -> None:
        self._tokens, self._db = tokens, db
        self.current = tokens.read(db)

    def save(self, grant: Grant) -> None:
        """Durable when it returns."""
        self._tokens.write(self._db, grant)
