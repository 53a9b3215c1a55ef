"""What changed at the vendor since the loads before: found from counts that a load has anyhow, told with what to do.

`ops.load.drift` holds, per kind, field names or {field: detail}; `ops.drift` shows it one row per field.

    new_fields         sent and not declared; each value is in `_extra`          notice
    respelled          {received: declared}: only case, width or look-alikes     warning
    twice              one record names the field twice; the last one counts     warning
    missing_fields     declared, not optional, in no record: lands as null       critical
    vanished_optional  the same of an optional field that came before            notice
    retyped            half or more of a field's values no longer fit            critical
    reformed           {field: text → number}: written otherwise, and it fits    notice
    rekeyed            the same of a key whose text changes with it (1 → 1.0)    critical
    emptied            no value in a whole load; the loads before had some       warning
    emptied_vital      the same of a control total or the cursor                 critical
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tieout.landing.names import folded, visible

if TYPE_CHECKING:
    import psycopg

    from tieout.landing.parse import Parser
    from tieout.landing.shape import Shaper
    from tieout.spec import Company, Connection, Stream

HISTORY = 30  # loads that a load is compared with
CHANCE = 1e-6  # an all-null field is drift where chance would bring it less often than this
RETYPED_SHARE = 0.5
SHOWN_LOADS = 20
KEY_BREAKING = frozenset({"decimal number", "flag", "object", "list"})

TO_DO = {
    "new_fields": "declare it in source.yml, then land the archive again; or leave it in _extra",
    "respelled": "name the vendor's spelling under `fields:` of the connection, then land the archive again",
    "twice": "select each field once; the archive holds both values",
    "missing_fields": "give the integration user the field, name its successor under `fields:`, or declare it optional",
    "vanished_optional": "nothing, if the feature was switched off; else look at the user's permissions",
    "retyped": "tieout quarantine summary; declare the new type under a new name, or map the values",
    "reformed": "nothing: every value fits as before",
    "rekeyed": "the same record has another key now: mend it at the vendor before the next build",
    "emptied": "look at the integration user's permissions; land the window again when values are back",
    "emptied_vital": "look at the integration user's permissions; land the window again when values are back",
    "deletes_withheld": "mend or waive the record without a key, then land the set again",
}
ORDER = tuple(TO_DO)


@dataclass(frozen=True)
class Change:
    """One line of `tieout status`. `since`: the first load of those that say so without a break."""

    connection: str
    stream: str
    kind: str
    field: str
    detail: str | None
    since_batch: int
    since_at: datetime | None
    loads: int
    to_do: str


def fields_of(parser: Parser, shaper: Shaper) -> dict[str, dict[str, Any]]:
    """{field: {"n": values, "of": records, "forms": [...], "seen": true}}: what the next loads compare with.

    `seen`: the vendor sent the field, be it null. Empty for a load without a readable record.
    """
    told: dict[str, dict[str, Any]] = {}
    for column in shaper.stream.columns if shaper.records else ():
        if column.field:
            one = told[visible(column.field)] = {"n": shaper.valued[column.name], "of": shaper.records}
            if forms := parser.drift.forms.get(column.field):
                one["forms"] = sorted(forms)
            if column.field in parser.drift.seen:
                one["seen"] = True
    return told


def found(db: psycopg.Connection, connection: Connection, stream: Stream, parser: Parser, shaper: Shaper,
          mode: str) -> dict[str, Any]:
    """The drift of a load, kinds without a finding left out. A window or a set is compared with the last ones.

    A replay and a batch from the archive bring what was judged when it came first: they report what they hold alone.
    """
    drift = parser.drift
    respelled = _respelled(stream, drift.new)
    report: dict[str, Any] = {
        "new_fields": sorted({visible(name) for name in drift.new - respelled.keys()}),
        "respelled": {visible(name): visible(declared) for name, declared in respelled.items()},
        "twice": sorted(map(visible, drift.twice)),
        "missing_fields": sorted(map(visible, parser.missing())),
        "retyped": _retyped(stream, shaper),
    }
    if drift.unnamed:
        report["new_fields"].append(f"… and more ({drift.unnamed:,} times)")
    if mode in ("incremental", "full"):
        before = _before(db, connection.name, stream.name)
        if before:
            report |= _compared(stream, parser, shaper, before)
    return {kind: names for kind, names in report.items() if names}


def _respelled(stream: Stream, new: set[str]) -> dict[str, str]:
    """{undeclared name: the declared one that a reader would take it for}"""
    if not new:
        return {}
    declared = {folded(column.field): column.field for column in stream.columns if column.field}
    return {name: declared[folded(name)] for name in sorted(new) if folded(name) in declared}


def _retyped(stream: Stream, shaper: Shaper) -> dict[str, str]:
    share = {column.field: (shaper.refused[column.name], shaper.valued[column.name]) for column in stream.columns}
    return {visible(name): f"{refused:,} of {values:,} values do not fit" for name, (refused, values) in share.items()
            if refused and refused >= RETYPED_SHARE * values}


def _before(db: psycopg.Connection, connection: str, stream: str) -> list[dict[str, Any]]:
    """The fields of the last loads that had records, the youngest first."""
    return [fields for (fields,) in db.execute(
        "select fields from ops.load where connection = %s and stream = %s and state = 'committed' "
        "and mode in ('incremental', 'full') and fields <> '{}' order by batch_id desc limit %s",
        (connection, stream, HISTORY))]


def _compared(stream: Stream, parser: Parser, shaper: Shaper,
              before: list[dict[str, Any]]) -> dict[str, Any]:
    """What only the loads before can tell."""
    missing = {*parser.missing(), *parser.missing(optional=True)}
    report: dict[str, Any] = {kind: {} for kind in ("emptied", "emptied_vital", "reformed", "rekeyed")}
    report["vanished_optional"] = [visible(name) for name in parser.missing(optional=True)
                                   if before[0].get(visible(name), {}).get("seen")]
    for column in stream.columns:
        name = visible(column.field)
        past = [fields[name] for fields in before if name in fields]
        if not column.field or not past:
            continue
        valued, records = sum(one["n"] for one in past), sum(one["of"] for one in past)
        empty = column.field not in missing and not shaper.valued[column.name]
        if empty and _improbable(shaper.records, valued, records):
            # a cursor that some records never had (a document nobody changed yet) is told by other stamps
            vital = column.name in stream.control_totals or (column.name == stream.cursor and valued == records)
            kind = "emptied_vital" if vital else "emptied"
            report[kind][name] = f"{_percent(valued, records)} of {records:,} records before had a value"
        known = next((set(one["forms"]) for one in past if one.get("forms")), set())
        fresh = parser.drift.forms.get(column.field, set())
        if known and fresh - known:
            breaks = column.name in stream.key and column.type == "text" and (fresh - known) & KEY_BREAKING
            report["rekeyed" if breaks else "reformed"][name] = f"{_words(known)} → {_words(fresh)}"
    return report


def _improbable(records: int, valued: int, before: int) -> bool:
    """Whether `records` nulls in a row are no chance, given how often the field had a value (rule of succession)."""
    empty = 1 - (valued + 1) / (before + 2)
    return records > 0 and empty**records < CHANCE


def _percent(part: int, whole: int) -> str:
    return f"{min(100 * part // max(whole, 1), 100)} %"


def _words(forms: set[str]) -> str:
    return " or ".join(sorted(forms))


# --- for people -------------------------------------------------------------------------------------------------------

# Per stream the newest load with records, and what of it (or, of a field that comes and goes, of the last SHOWN_LOADS)
# is drift. `since` is the first load after the newest one without it.
_CHANGES = """
with recent as (
    select batch_id, connection, stream,
           row_number() over (partition by connection, stream order by batch_id desc) as age
      from ops.load
     where state = 'committed' and received > 0 and mode in ('incremental', 'full')
), told as (
    select d.*, r.age from ops.drift d join recent r using (batch_id)
)
select t.connection, t.stream, t.kind, t.field,
       (array_agg(t.detail order by t.batch_id desc))[1] as detail,
       min(t.batch_id) filter (where t.batch_id > coalesce(gap.batch_id, 0)) as since_batch,
       min(t.finished_at) filter (where t.batch_id > coalesce(gap.batch_id, 0)) as since_at,
       count(*) filter (where t.batch_id > coalesce(gap.batch_id, 0)) as loads
  from told t
  cross join lateral (
       select max(r.batch_id) as batch_id from recent r
        where r.connection = t.connection and r.stream = t.stream
          and r.batch_id < (select max(n.batch_id) from told n where (n.connection, n.stream, n.kind, n.field)
                                                                   = (t.connection, t.stream, t.kind, t.field))
          and not exists (select from ops.load h where h.batch_id = r.batch_id
                             and jsonb_exists(coalesce(h.drift -> t.kind, '[]'), t.field))) gap
 group by t.connection, t.stream, t.kind, t.field
having min(t.age) = 1 or (min(t.age) <= %(shown)s and t.kind in ('new_fields', 'respelled'))
    or (min(t.age) <= %(shown)s and t.kind in ('emptied_vital', 'missing_fields', 'retyped', 'rekeyed')
        and not bool_and(t.is_mended))
"""


def changes(db: psycopg.Connection, company: Company | None = None) -> list[Change]:
    """The drift that stands, the gravest first. `company`: leaves out what was declared meanwhile."""
    declared = _declared(company) if company else {}
    rows = db.execute(_CHANGES, {"shown": SHOWN_LOADS}).fetchall()
    listed = [Change(*row, to_do=TO_DO.get(row[2], "see docs/drift.md")) for row in rows
              if row[2] != "new_fields" or row[3] not in declared.get((row[0], row[1]), ())]
    grave = ("rekeyed", "emptied_vital", "missing_fields", "retyped")
    rank = {kind: place for place, kind in enumerate([*grave, *(kind for kind in ORDER if kind not in grave)])}
    return sorted(listed, key=lambda one: (rank.get(one.kind, 99), one.connection, one.stream, one.field))


def _declared(company: Company) -> dict[tuple[str, str], set[str]]:
    return {(name, stream.name): {visible(column.field) for column in stream.columns}
            for name, connection in company.connections.items() for stream in connection.selected()}
