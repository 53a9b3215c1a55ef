"""What publication lets go by policy: old publications, and the versions of marts that no kept publication shows.

Exempt for ever: every version of a row of a fiscal period that was ever shown as closed, the publication that first
showed a period closed, and the one before it, which readers saw when it was closed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tieout import warehouse
from tieout.errors import PublishError
from tieout.publish import views

if TYPE_CHECKING:
    import psycopg

    from tieout.publish.views import Mart
    from tieout.spec import Retention

CHUNK = 20_000
PERIODS = "marts.dim_fiscal_period"
# Marts without a period of their own: the column that names the row of another mart to whose period they belong.
BELONGS = {"rec_match_member": ("match_key", "rec_match")}

Tell = Callable[[str, str, int, int | None, str], Any]

# Which publications first showed a period closed, and which came just before: kept for ever.
_CLOSINGS = """
with published as (
    select run_id, lag(run_id) over (order by run_id) as previous_run from ops.publication
), shown as (
    select p.run_id, p.previous_run, d.period, d.is_closed,
           lag(d.is_closed) over (partition by d.period order by p.run_id) as was_closed
      from published p
      join marts.dim_fiscal_period d on d.recorded_run <= p.run_id and d.superseded_run > p.run_id
)
select distinct kept from shown cross join lateral (values (run_id), (previous_run)) k(kept)
 where is_closed and not coalesce(was_closed, false) and kept is not null
"""


def prune(policy: Retention, *, apply: bool, tell: Tell) -> None:
    """Release old publications, then delete what none of the kept shows. `tell(what, name, rows, bytes, why)`.

    Raises PublishError when the marts do not say which periods are closed: then nothing may go.
    """
    if policy.publications_days is None:
        return
    why = f"older than {policy.publications_days} days, and no period was closed by them"
    with warehouse.connect("publisher", application="tieout prune") as db:
        if db.execute("select to_regclass(%s)", (PERIODS,)).fetchone()[0] is None:
            if db.execute("select count(*) from ops.publication").fetchone()[0]:
                raise PublishError(f"{PERIODS} is absent: which periods are closed is unknown, so nothing is pruned",
                                   hint="build the marts; see docs/retention.md")
            return
        old = releasable(db, policy.publications_days)
        if apply:
            for run_id in old:
                db.execute("select ops.release_publication(%s)", (run_id,))
    if old:
        tell("publication", "ops.publication", len(old), None, why)
    _versions(old if not apply else [], apply, tell)


def releasable(db: psycopg.Connection, days: int) -> list[int]:
    """Runs of the publications that may go: older than `days`, not the newest two, not the last one before the horizon
    (readers may ask for its day), none that a closing needs.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    closings = {run_id for (run_id,) in db.execute(_CLOSINGS)}
    rows = db.execute(
        "select run_id, published_at from ops.publication where pruned_at is null order by run_id").fetchall()
    old = [run_id for run_id, at in rows if at < before]
    kept = closings | {run_id for run_id, _ in rows[-2:]} | set(old[-1:])
    return [run_id for run_id in old if run_id not in kept]


def _versions(released: list[int], apply: bool, tell: Tell) -> None:
    """`released`: in a dry run, what would have been released before."""
    with warehouse.connect("transformer", autocommit=True, application="tieout prune") as db:
        marts = [mart for mart in views._marts(db) if mart.versioned]
        for mart in marts:
            doomed = _doomed(mart, {one.name for one in marts})
            values = {"kept": _kept(db, released), "pointer": _pointer(db)}
            rows, size = db.execute(
                f"select count(*), coalesce(sum(pg_column_size(v.*)), 0) from marts.{_quoted(mart.name)} v "
                f"where {doomed}", values).fetchone()
            if apply and rows:
                rows = _delete(db, mart, doomed)
            if rows:
                tell("mart", f"marts.{mart.name}", rows, int(size), "versions that no kept publication shows")


def _delete(db: psycopg.Connection, mart: Mart, doomed: str) -> int:
    """Chunk by chunk, each under the builds' lock and with the publications as they are then."""
    total = 0
    while True:
        with db.transaction():
            db.execute("select pg_advisory_xact_lock(%s, %s)", warehouse.BUILD_LOCK)  # no build runs while versions go
            name = _quoted(mart.name)
            gone = db.execute(
                f"delete from marts.{name} where ctid = any(array(select v.ctid from marts.{name} v where {doomed} "
                f"limit {CHUNK}))", {"kept": _kept(db, []), "pointer": _pointer(db)}).rowcount
        total += gone
        if not gone:
            return total


def _doomed(mart: Mart, all_marts: set[str]) -> str:
    """The condition on `v`: superseded for every reader, shown by no kept publication, of no period that was closed."""
    closed = f"(select d.period from {PERIODS} d where d.is_closed)"
    spans = (f"(select s.recorded_run, s.superseded_run from (select distinct recorded_run, superseded_run "
             f"from marts.{_quoted(mart.name)} where superseded_run <= %(pointer)s) s where not exists (select from "
             "unnest(%(kept)s::bigint[]) k where k >= s.recorded_run and k < s.superseded_run))")
    rules = ["v.superseded_run <= %(pointer)s", f"(v.recorded_run, v.superseded_run) in {spans}"]
    rules += [f"(v.{_quoted(name)} is null or v.{_quoted(name)} not in {closed})" for name in periods(mart)]
    if mart.name in BELONGS and BELONGS[mart.name][1] in all_marts:
        column, owner = BELONGS[mart.name]
        rules.append(f"not exists (select from marts.{_quoted(owner)} o "
                     f"where o.{_quoted(column)} = v.{_quoted(column)} and o.period in {closed})")
    return " and ".join(rules)


def periods(mart: Mart) -> list[str]:
    """The columns of a mart that name a fiscal period."""
    return [name for name, kind, _ in mart.columns
            if kind == "text" and (name in ("period", "period_opened", "period_cleared") or name.endswith("_period"))]


def _kept(db: psycopg.Connection, released: list[int]) -> list[int]:
    rows = db.execute("select run_id from ops.publication where pruned_at is null order by 1").fetchall()
    return [run_id for (run_id,) in rows if run_id not in released]


def _pointer(db: psycopg.Connection) -> int:
    row = db.execute("select run_id from ops.pointer").fetchone()
    return row[0] if row else -1


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
