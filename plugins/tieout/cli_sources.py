"""`tieout sources`: what is connected, and what a company's own system would land as, before anything lands."""

from __future__ import annotations

from decimal import Decimal
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout import logs, show, status
from tieout.cli_work import Json, at_work
from tieout.errors import ConfigError, GateError
from tieout.settings import settings

sources = typer.Typer(no_args_is_help=True, help="What is connected, and a look at it before anything lands.")
Name = Annotated[str, typer.Argument(help="A connection of tieout.yml.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(sources, name="sources")


@sources.command("list")
def listed(json: Json = False) -> None:
    """Connections with their system, role and streams."""
    with at_work(json) as out:
        found = [{"connection": c.name, "system": c.system, "role": c.role, "protocol": c.source.protocol,
                  "streams": [s.name for s in c.selected()]} for c in settings().company.connections.values()]
        if json:
            show.as_json(found)
            return
        show.table(out, "sources", ["connection", "system", "role", "protocol", "streams"],
                   [[f["connection"], f["system"], f["role"], f["protocol"], ", ".join(f["streams"])] for f in found])


@sources.command("show")
def shown(connection: Name, json: Json = False) -> None:
    """The streams of a connection: table, key, cursor, and what they are mapped to."""
    with at_work(json) as out:
        chosen = settings().company.connection(connection)
        found = [{"stream": s.name, "table": f"raw.{s.table}", "key": list(s.key), "mode": s.mode, "cursor": s.cursor,
                  "columns": {c.name: c.type for c in s.columns}, "contracts": list(getattr(s, "contracts", ()))}
                 for s in chosen.selected()]
        if json:
            show.as_json(found)
            return
        show.table(out, connection, ["stream", "table", "key", "mode", "cursor", "columns", "contracts"],
                   [[f["stream"], f["table"], ", ".join(f["key"]), f["mode"], f["cursor"], len(f["columns"]),
                     ", ".join(f["contracts"])] for f in found])


@sources.command("freshness")
def fresh(json: Json = False) -> None:
    """Until when each stream has landed, and how much."""
    with at_work(json) as out:
        found = status.sources()
        if json:
            show.as_json(found)
            return
        for each in found:
            show.table(out, f"{each['connection']}: {each['title']}, landed until {show.cell(each['landed_until'])}",
                       ["stream", "table", "mode", "landed until", "rows landed", "quarantined"],
                       [[s["stream"], s["table"], s["mode"],
                         s["landed_until"] if s["is_offered"] else "not offered", s["landed"], s["quarantined"]]
                        for s in each["streams"]])


@sources.command("check")
def checked(
    connection: Name,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Records of each stream to look at.")] = 1000,
    json: Json = False,
) -> None:
    """Read, type and map a sample of a company's own system; nothing lands.

    Ends with 0 when all of it would land and every code is known, with 6 when something would be quarantined, is
    missing or is unmapped, with 2 or 3 when the set-up or the system is at fault.
    """
    from tieout import sampling

    with at_work(json) as out:
        chosen = settings().company.connection(connection)
        if not chosen.declared:
            raise ConfigError(f"{connection} is {chosen.system}, whose streams are known", hint="`tieout doctor` looks "
                              "at it; `tieout land --dry-run` says what would be read")
        found = sampling.look(chosen, sample)
        if json:
            show.as_json(as_plain(found))
        else:
            _tell(out, found)
        if not found.is_clean:
            refused = sum(sum(one.refused.values()) for one in found.streams)
            codes = sum(len(one.unmapped) for one in found.contracts)
            lacking = [f"{one.stream}.{name}" for one in found.streams for name in one.missing]
            absent = f", no record has {', '.join(lacking)}" if lacking else ""
            raise GateError(f"{connection}: {refused:,} records of the sample would be quarantined, {codes:,} codes "
                            f"are not mapped{absent}",
                            hint="mend columns, dialect or maps in tieout.yml; nothing has landed")


@sources.command("draft")
def draft(
    path: Annotated[Path | None, typer.Argument(help="A Singer catalog, or a tap's output; else what is piped in.")]
    = None,
    dlt: Annotated[str | None, typer.Option("--dlt", help="A dlt source instead, as `module:function`.")] = None,
    arguments: Annotated[str, typer.Option(help="Its arguments, as JSON. {\"secret\": \"x\"} in them is "
                                           "TIEOUT_SECRET_DRAFT__X.")] = "{}",
) -> None:
    """Write the `streams:` of a Singer tap or a dlt source as `tieout.yml` has them, to start from.

    Needs nothing set up. Of a dlt source the first item of each resource is read.
    """
    import sys

    import yaml

    if dlt is not None:
        found = _of_dlt(dlt, arguments)
    else:
        from tieout.extract import singer_draft

        found = singer_draft.drafted(path.read_bytes() if path else sys.stdin.buffer.read())
    typer.echo(yaml.safe_dump({"streams": found}, sort_keys=False, default_flow_style=None, width=110))


def _of_dlt(source: str, arguments: str) -> dict[str, Any]:
    from pydantic import ValidationError

    from tieout.extract import dlt_draft
    from tieout.settings import secret_from_env
    from tieout.spec_transports import DltSource, secret_names, with_secrets

    try:
        told = DltSource.model_validate({"source": source, "arguments": loads(arguments)})
    except (ValidationError, JSONDecodeError) as error:
        raise ConfigError(f"--dlt {source}: {error}",
                          hint="`module:function`, and arguments as a JSON object") from None
    secrets = {name: secret_from_env("draft", name) or "" for name in secret_names(told.arguments)}
    if missing := [name for name, value in secrets.items() if not value]:
        raise ConfigError(f"--dlt {source}: no secret {', '.join(missing)}",
                          hint=f"set TIEOUT_SECRET_DRAFT__{missing[0].upper()}")
    for value in secrets.values():
        logs.register_secret(value)
    return dlt_draft.drafted(told.model_copy(update={"arguments": with_secrets(told.arguments, secrets)}))


def as_plain(found: Any) -> dict[str, Any]:
    """The sample as one JSON document; amounts as text."""
    return {
        "connection": found.connection, "clean": found.is_clean,
        "streams": [{"stream": one.stream, "read": one.read, "would_land": len(one.records),
                     "missing": one.missing, "would_quarantine": [
            {"field": f, "value": v, "reason": r, "records": n} for (f, v, r), n in one.refused.most_common()]}
            for one in found.streams],
        "contracts": [{"contract": one.contract, "stream": one.stream, "rows": len(one.rows),
                       "left_out": one.left_out, "without_header": one.without_header, "scope": dict(one.scope),
                       "totals": [{"kind": kind, "currency": currency, "amount": plain(amount)}
                                  for (kind, currency), amount in sorted(one.totals.items())],
                       "unmapped": [{"column": column, "code": code, "records": n}
                                    for (column, code), n in one.unmapped.most_common()],
                       "sample": [{k: None if v is None else plain(v) for k, v in row.items()} for row in one.rows[:3]]}
                      for one in found.contracts]}


def plain(value: Any) -> str:
    """A value as text; of a number all its digits, two decimals at least, and no noughts behind."""
    if not isinstance(value, Decimal):
        return str(value)
    whole, _, decimals = f"{value:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def _tell(out: Any, found: Any) -> None:
    show.table(out, f"{found.connection}: read", ["stream", "read", "would land", "would be quarantined"],
               [[one.stream, one.read, len(one.records), sum(one.refused.values())] for one in found.streams])
    show.table(out, "mapped", ["contract", "from", "rows", "out of scope", "left out", "no header"],
               [[one.contract, one.stream, len(one.rows), sum(n for word, n in one.scope.items() if word != "in"),
                 one.left_out, one.without_header] for one in found.contracts])
    show.table(out, "totals in scope", ["contract", "from", "kind", "currency", "amount"],
               [[one.contract, one.stream, kind, currency, f"{amount:,.2f}"] for one in found.contracts
                for (kind, currency), amount in sorted(one.totals.items())])
    if refused := [[one.stream, *why, n] for one in found.streams for why, n in one.refused.most_common(20)]:
        show.table(out, "would be quarantined", ["stream", "field", "value", "why", "records"], refused)
    if codes := [[one.stream, column, code, n] for one in found.contracts
                 for (column, code), n in one.unmapped.most_common(20)]:
        show.table(out, "codes that no map knows", ["stream", "column", "code", "records"], codes)
    for one in found.contracts:
        if one.rows:
            names = [name for name in one.rows[0] if any(row[name] is not None for row in one.rows[:3])]
            show.table(out, f"{one.contract} from {one.stream}", names,
                       [[None if row[name] is None else plain(row[name]) for name in names] for row in one.rows[:3]])
