"""Reading an earlier publication from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Literal

from tieout import warehouse
from tieout.errors import PublishError

if TYPE_CHECKING:
    import psycopg


@contextmanager
def as_of(when: int | date | None = None, *, role: Literal["bi", "publisher"] = "bi") -> Iterator[psycopg.Connection]:
    """A connection whose schema reporting shows one publication, all statements of it the same one.

    `when`: a run, a day (the newest publication whose as-of date is not after it), or None for the newest now. The
    transaction is repeatable read and read only. Raises PublishError for a run that was never published.
    """
    import psycopg

    with warehouse.connect(role, application="tieout as of") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            if when is None:
                connection.execute("select reporting.published_run()")
            else:
                kind = "bigint" if isinstance(when, int) else "date"
                connection.execute(f"select reporting.as_of(%s::{kind})", (when,))
        except psycopg.errors.RaiseException as error:
            raise PublishError(error.diag.message_primary or str(error), hint=error.diag.message_hint) from None
        except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
            raise PublishError("nothing was published yet", hint="run the pipeline once") from None
        yield connection
