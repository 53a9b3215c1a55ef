"""getDeleted and getUpdated: ids of records deleted or changed in a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.salesforce_api.catalog import Entity
from simulator.salesforce_api.errors import ApiError
from simulator.served import Clock, Database

MOST_IDS = 600_000
_KEPT = {"deleted": timedelta(days=15), "updated": timedelta(days=30)}
_SHORTEST = timedelta(minutes=1)


def changes(what: str, entity: Entity, start: str, end: str, database: Database, clock: Clock) -> dict[str, Any]:
    """The answer of `sobjects/<name>/deleted` or `…/updated`. `start` and `end` are ISO stamps with an offset."""
    if not entity.has_recycle_bin:
        raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", f"The entity {entity.name} is not replicateable")
    since, until, now = _moment("start", start), _moment("end", end), clock.now()
    if until - since <= _SHORTEST:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "endDate before startDate, or less than one minute after it")
    if since < now - _KEPT[what]:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
    where = '"SystemModstamp" >= ? AND "SystemModstamp" < ?' + (' AND "IsDeleted" = 1' if what == "deleted" else "")
    rows = database.connection().execute(
        f'SELECT "Id", "SystemModstamp" FROM {entity.table} WHERE {where} ORDER BY "SystemModstamp", "Id" LIMIT ?',
        (_canonical(since), _canonical(until), MOST_IDS + 1),
    ).fetchall()
    if len(rows) > MOST_IDS:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", "Exceeded the limit of ids: use a shorter window")
    covered = _told(_canonical(min(until, now)))
    if what == "updated":
        return {"ids": [record for record, _ in rows], "latestDateCovered": covered}
    return {
        "deletedRecords": [{"id": record, "deletedDate": _told(stamp)} for record, stamp in rows],
        "earliestDateAvailable": _told(_canonical(now - _KEPT[what])),
        "latestDateCovered": covered,
    }


def _moment(name: str, text: str) -> datetime:
    """A plus sign that was not encoded arrives as a blank, and is refused as Salesforce refuses it."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ApiError(400, "INVALID_REPLICATION_DATE", f"{name} is not a valid date: {text}")
    return found.astimezone(UTC)


def _canonical(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _told(stamp: str) -> str:
    return stamp.replace(" ", "T") + ".000+0000"
