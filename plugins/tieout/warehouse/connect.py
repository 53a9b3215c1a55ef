"""One way to connect, per role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tieout import settings
from tieout.errors import WarehouseError

if TYPE_CHECKING:
    import psycopg

Role = Literal["owner", "loader", "transformer", "publisher", "bi"]


def connect(role: Role, *, autocommit: bool = False, application: str = "tieout") -> psycopg.Connection:
    """A psycopg connection as that role, in UTC. Raises WarehouseError (host, port, role, what to do)."""
    import psycopg

    place = settings.warehouse()
    user = settings.ROLE_NAMES[role]
    password = getattr(place, f"{role}_password")
    if password is None:
        raise WarehouseError(
            f"no password for the warehouse role {user}",
            hint=f"set TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD, or run `python -m tieout.localpg start`")
    try:
        return psycopg.connect(
            host=place.host, port=place.port, dbname=place.database, user=user, password=password.get_secret_value(),
            sslmode=place.sslmode, autocommit=autocommit, application_name=application, connect_timeout=10,
            options="-c TimeZone=UTC",
        )
    except psycopg.OperationalError as error:
        raise WarehouseError(
            f"Postgres at {place.host}:{place.port}/{place.database} is away or refuses {user}: {str(error).strip()}",
            hint="is it running? `python -m tieout.localpg status`; check TIEOUT_WAREHOUSE_*",
        ) from error


@contextmanager
def present(doing: str) -> Iterator[None]:
    """Postgres that goes away in the middle of `doing` is a WarehouseError, like one that is away from the start."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise WarehouseError(
            f"Postgres went away, or refused, during {doing}: {str(error).strip()}",
            hint="start it and do the same again; what was not committed is not there") from error
