"""`tieout quarantine`: records that typing refused. Look, map, correct, land again, or waive.

Every decision keeps who and why. `show`, `mappings` and `export` give what was received, which may be personal data;
the other verbs do not.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import settings, show
from tieout.cli_work import By, enter
from tieout.errors import ConfigError

quarantine = typer.Typer(
    no_args_is_help=True, help="Records that could not be typed: look, map, correct, land again, or waive."
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
ConnectionArgument = Annotated[str | None, typer.Argument(show_default=False)]
Connection = Annotated[str | None, typer.Option("--connection")]
Stream = Annotated[str | None, typer.Option("--stream")]
Reason = Annotated[str | None, typer.Option("--reason", help="type_error, out_of_range, missing_key, …")]
Field = Annotated[str | None, typer.Option("--field", help="The vendor's word.")]
Since = Annotated[str | None, typer.Option("--since", help="First seen then or later: YYYY-MM-DD, in UTC.")]
Status = Annotated[str, typer.Option("--status", help="open, replayed, waived, superseded or all")]
Note = Annotated[str, typer.Option("--note", help="Why.")]
STATES = ("open", "replayed", "waived", "superseded", "all")


def register(app: typer.Typer) -> None:
    """Add `quarantine` to the command line."""
    app.add_typer(quarantine, name="quarantine")


@quarantine.command(name="list")
def list_(
    connection: ConnectionArgument = None,
    stream: Stream = None,
    reason: Reason = None,
    field: Field = None,
    since: Since = None,
    status: Status = "open",
    limit: Annotated[int, typer.Option("--limit", min=1)] = 1000,
    json: Json = False,
) -> None:
    """The quarantined records, the youngest first, without their content."""
    enter()
    from tieout.landing import quarantine as room

    found = room.find(_filter(connection, stream, reason, field, since, status), limit)
    if json:
        show.as_json([_without_content(one) for one in found])
        return
    show.table(
        show.console(),
        f"{len(found)} records ({status})",
        ["id", "connection", "stream", "key", "field", "reason code", "reason", "first seen"],
        [
            [
                str(e.quarantine_id),
                e.connection,
                e.stream,
                e.record_key,
                e.field,
                e.reason_code,
                e.reason,
                e.first_seen_at,
            ]
            for e in found
        ],
    )


@quarantine.command()
def summary(
    connection: ConnectionArgument = None,
    stream: Stream = None,
    since: Since = None,
    status: Status = "open",
    json: Json = False,
) -> None:
    """How many records, by stream, reason and field."""
    enter()
    from tieout.landing import quarantine as room

    found = room.summary(_filter(connection, stream, None, None, since, status))
    if json:
        show.as_json(found)
        return
    names = ["connection", "stream", "reason_code", "field", "status", "records", "oldest"]
    total = sum(row["records"] for row in found)
    show.table(show.console(), f"{total:,} records ({status})", names, [[row[name] for name in names] for row in found])


@quarantine.command(name="show")
def show_(quarantine_id: int, json: Json = False) -> None:
    """One record as it was received. It may hold personal data."""
    enter()
    from tieout.landing import quarantine as room

    entry = room.get(quarantine_id)
    show.as_json(entry) if json else show.console().print_json(data=entry, default=show.plain)


@quarantine.command()
def fix(
    quarantine_id: Annotated[int | None, typer.Argument(help="Take field and value from this record.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The value to land instead.")] = None,
    to_null: Annotated[bool, typer.Option("--to-null", help="Land nothing instead.")] = False,
    connection: Connection = None,
    stream: Stream = None,
    field: Field = None,
    received: Annotated[str | None, typer.Option("--received", help="The refused value, as `show` prints it.")] = None,
    note: Note = "",
    by: By = None,
    replay: Annotated[bool, typer.Option(help="Land the open records that fit now, at once.")] = True,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Decide what lands in place of a refused value, now and in later loads. A value that fits is never touched."""
    enter()
    from tieout.landing import mapping
    from tieout.landing import quarantine as room
    from tieout.landing import replay as again

    if (to is None) != to_null:
        raise ConfigError("say what lands: --to VALUE, or --to-null", hint="exactly one of them")
    if quarantine_id is not None:
        entry = room.get(quarantine_id)
        connection, stream, field, received = entry.connection, entry.stream, entry.field, entry.value
    if connection is None or stream is None or field is None or received is None:
        raise ConfigError(
            "no value to map" if quarantine_id else "which value? an id, or --connection --stream --field --received",
            hint="a record without a key, or that is no JSON: tieout quarantine replay ID --payload FILE",
        )
    place, spec = again.place_of(connection, stream)
    if dry_run:
        column = mapping.checked(place, spec, field, received, to)
        trial = mapping.Decision(0, connection, stream, column.field, received, to, "", "", datetime.now(UTC))
        _say_outlook(again.outlook(connection, stream, with_=[trial]), json)
        return
    made = mapping.decide(place, spec, field, received, to, by=by or room.who(), reason=note)
    lands = again.outlook(connection, stream).lands if replay else ()
    result = again.replay(connection, stream, ids=lands) if lands else None
    if json:
        show.as_json({"mapping_id": made, "replay": result})
        return
    out = show.console()
    out.print(f"mapping {made}" if made else "the same mapping counts already", markup=False)
    if replay:
        out.print(_landed(result) if result else "no open record of the stream fits yet", markup=False)


@quarantine.command()
def mappings(connection: ConnectionArgument = None, stream: Stream = None, json: Json = False) -> None:
    """The mappings that count, and how often each was applied."""
    enter()
    from tieout.landing import mapping
    from tieout.warehouse import connect

    with connect("loader") as db:
        found = mapping.active(db, connection, stream)
    if json:
        show.as_json(found)
        return
    show.table(
        show.console(),
        f"{len(found)} mappings",
        ["id", "connection", "stream", "field", "received", "lands as", "applied", "by", "why"],
        [
            [str(m.mapping_id), m.connection, m.stream, m.field, m.received, m.value, m.applied, m.decided_by, m.reason]
            for m in found
        ],
    )


@quarantine.command()
def revoke(mapping_id: int, note: Note = "", by: By = None, json: Json = False) -> None:
    """End a mapping. What landed through it stays; from now on the value is refused again."""
    enter()
    from tieout.landing import mapping
    from tieout.landing import quarantine as room

    ended = mapping.revoke(mapping_id, by=by or room.who(), reason=note)
    if json:
        show.as_json({"revoked": ended})
    else:
        show.console().print(f"mapping {mapping_id} revoked; it let {ended.applied:,} values land", markup=False)


@quarantine.command()
def replay(
    which: Annotated[list[str], typer.Argument(help="Ids of records, or one connection.")],
    stream: Stream = None,
    payload: Annotated[Path | None, typer.Option("--payload", help="A file with the corrected record (JSON).")] = None,
    note: Note = "",
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Land open records again, after the spec, a mapping or the landing was mended; what still does not fit stays."""
    enter()
    from tieout.landing import quarantine as room
    from tieout.landing import replay as again

    ids = [int(word) for word in which if word.isdecimal()]
    if len(ids) < len(which) and (ids or len(which) > 1):
        raise ConfigError("ids of records, or one connection", hint=f"got {' '.join(which)}")
    if payload is not None:
        if len(ids) != 1 or dry_run:
            raise ConfigError("--payload corrects one record", hint="replay ID --payload FILE --note WHY")
        result = again.replay_corrected(ids[0], _text(payload), by=by or room.who(), note=note)
        show.as_json(result) if json else show.console().print(_landed(result), markup=False)
        return
    if not ids:
        settings.settings().company.connection(which[0])
    chosen = room.Filter(None if ids else which[0], stream, ids=tuple(ids))
    streams = again.by_stream(room.find(chosen, limit=1_000_000))
    if dry_run:
        for (connection, name), found in streams.items():
            _say_outlook(again.outlook(connection, name, ids=found if ids else ()), json, f"{connection}.{name}: ")
        return
    results = [again.replay(*place, ids=found if ids else ()) for place, found in streams.items()]
    if json:
        show.as_json(results)
        return
    for result in results or [None]:
        show.console().print(_landed(result), markup=False)


@quarantine.command()
def waive(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids of records; or a filter.", show_default=False)] = None,
    connection: Connection = None,
    stream: Stream = None,
    reason: Reason = None,
    field: Field = None,
    since: Since = None,
    note: Note = "",
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Accept that records stay out, for a reason."""
    enter()
    from tieout.landing import quarantine as room

    chosen = _filter(connection, stream, reason, field, since, "open", tuple(ids or ()))
    if dry_run:
        count = len(room.find(chosen, limit=1_000_000))
        show.as_json({"would_waive": count}) if json else show.console().print(f"would waive {count:,} records")
        return
    waived = room.waive(chosen, note, by or "")
    show.as_json({"waived": waived}) if json else show.console().print(f"{waived:,} waived")


@quarantine.command()
def export(
    file: Path,
    connection: Connection = None,
    stream: Stream = None,
    reason: Reason = None,
    field: Field = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Write the open records to a CSV file for a person to decide. It holds refused values."""
    enter()
    from tieout.landing import decisions
    from tieout.landing import quarantine as room

    written = decisions.write(file, room.find(_filter(connection, stream, reason, field, since, "open"), 1_000_000))
    if json:
        show.as_json({"file": file, "records": written})
    else:
        show.console().print(
            f"{written:,} records in {file}; fill in decision ({', '.join(decisions.DECISIONS)}), mapped_value, note",
            markup=False,
            soft_wrap=True,
        )


@quarantine.command(name="import")
def import_(file: Path, by: By = None, dry_run: DryRun = False, json: Json = False) -> None:
    """Carry out the decisions of a CSV file: all of them, or none where a line is wrong."""
    enter()
    from tieout.landing import decisions
    from tieout.landing import quarantine as room

    lines = decisions.read(file)
    if dry_run:
        counts = {word: sum(line.decision == word for line in lines) for word in decisions.DECISIONS}
        show.as_json(counts) if json else show.console().print(f"would carry out: {_words(counts)}")
        return
    done = asdict(decisions.apply(lines, by or room.who()))
    show.as_json(done) if json else show.console().print(_words(done))


def _filter(
    connection: str | None,
    stream: str | None,
    reason: str | None,
    field: str | None,
    since: str | None,
    status: str,
    ids: tuple[int, ...] = (),
) -> Any:
    from tieout.landing.quarantine import Filter

    if status not in STATES:
        raise ConfigError(f"no status {status!r}", hint=", ".join(STATES))
    try:
        day = datetime.fromisoformat(since) if since else None
    except ValueError:
        raise ConfigError(f"--since {since!r} is not a day", hint="YYYY-MM-DD") from None
    if day is not None and day.tzinfo is None:
        day = day.replace(tzinfo=UTC)
    return Filter(connection, stream, None if status == "all" else status, reason, field, day, ids)


def _without_content(entry: Any) -> dict[str, Any]:
    content = ("payload", "value", "corrected_payload")
    return {word: value for word, value in asdict(entry).items() if word not in content}


def _say_outlook(found: Any, json: bool, where: str = "") -> None:
    if json:
        show.as_json(found)
        return
    out = show.console()
    counts = {"would land": len(found.lands), "still refused": len(found.refused), "no JSON": len(found.unreadable)}
    out.print(f"{where}{_words(counts)}", markup=False)
    show.table(out, "still refused", ["id", "reason"], [[str(at), why] for at, why in [*found.reasons.items()][:20]])


def _landed(result: Any) -> str:
    if result is None:
        return "nothing is open there"
    return (
        f"{result.connection}.{result.stream}: {result.received:,} replayed: {result.landed:,} landed, "
        f"{result.unchanged + result.replayed:,} as before, {result.quarantined:,} still refused"
    )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {word.replace('_', ' ')}" for word, count in counts.items())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="one JSON object in UTF-8") from None
