"""What a build starts from: the company as dbt sees it, how far the last good build got, and what changed since."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout import spec_contracts
from tieout.errors import BuildError
from tieout.transform import manifests

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import Company, Connection

EVERYTHING = -1
# Rows of ops.model_run that say from what a build was made, beside those that say what it made.
INPUT = "input"
BEGUN = "build"


@dataclass(frozen=True)
class Inputs:
    """One build's inputs. `previous_batch_id` -1: everything is built anew.

    previous_as_of_date: the last good build's; what turns with the date turned in between.
    batch_id: no landed batch up to this one can still appear; the next build starts behind it.
    fingerprints: {company, project, seeds: digest}. stale: those that differ from the last good build's.
    follows_directly: tables are as the last good build left them: none was begun since, and this one is no repetition.
    is_clean: no build was begun after the last good one, so that all views are as it left them.
    """

    run_id: int
    previous_run_id: int
    previous_batch_id: int
    batch_id: int
    as_of_date: date
    previous_as_of_date: date
    company: dict[str, Any]
    systems: tuple[str, ...]
    fingerprints: dict[str, str]
    stale: tuple[str, ...]
    is_clean: bool
    follows_directly: bool

    @property
    def is_full(self) -> bool:
        """Whether everything is read again."""
        return self.previous_batch_id == EVERYTHING

    @property
    def variables(self) -> dict[str, Any]:
        """dbt's vars."""
        return {
            "run_id": self.run_id, "previous_run_id": self.previous_run_id, "previous_batch_id": self.previous_batch_id,
            "as_of_date": self.as_of_date.isoformat(), "previous_as_of_date": self.previous_as_of_date.isoformat(),
            "company": self.company, "systems": list(self.systems), "follows_directly": self.follows_directly,
        }


def read(books: psycopg.Connection, run_id: int, company: Company, project: Path, *, full_refresh: bool) -> Inputs:
    """The inputs of a build of `run_id`. BuildError for an unknown run, or one that a newer build has overtaken."""
    as_of = _as_of_date(books, run_id)
    if as_of is None:
        raise BuildError(f"run {run_id} does not exist", hint="steps.open_run('revenue') draws one")
    newest = _last_build(books, before=None)
    if newest[0] > run_id:
        raise BuildError(f"run {newest[0]} was built after run {run_id}",
                         hint="versions are stamped in order: open a new run")
    # A build may be repeated under its own run id: then it starts where it started before.
    last = _last_build(books, before=run_id)
    told = dict(books.execute(
        "select node_id, message from ops.model_run where resource_type = %s and run_id = %s order by finished_at",
        (INPUT, newest[0])).fetchall())
    batch_id = books.execute("select ops.settled_batch_id()").fetchone()[0]
    shown = describe(company)
    fingerprints = {"company": _digest(json.dumps(shown, sort_keys=True).encode()), **project_fingerprints(project)}
    stale = tuple(word for word, digest in fingerprints.items() if told.get(word) != digest)
    is_clean = books.execute(
        "select not exists (select from ops.model_run where node_id = %s and resource_type = %s"
        " and finished_at > (select max(built_at) from ops.build_watermark))", (BEGUN, INPUT)).fetchone()[0]
    before = _as_of_date(books, last[0])
    complete = full_refresh or bool(stale) or last[1] > batch_id or before is None
    return Inputs(
        run_id=run_id, previous_run_id=last[0], previous_batch_id=EVERYTHING if complete else last[1],
        batch_id=batch_id, as_of_date=as_of, previous_as_of_date=before or as_of, company=shown,
        systems=_systems(company, project), fingerprints=fingerprints, stale=stale, is_clean=is_clean,
        follows_directly=is_clean and newest == last)


def describe(company: Company) -> dict[str, Any]:
    """`tieout.yml` as dbt's var `company`: no secret, no path, nothing that only extraction reads."""
    return {
        "group": company.group.model_dump(),
        "connections": [
            {"name": found.name, "system": found.system, "title": found.source.title, "role": found.role,
             "unit": found.unit, "time_zone": found.time_zone, "legal_entity": found.legal_entity,
             "legal_entities": dict(found.legal_entities), "currency": found.currency, "urls": record_urls(found),
             "contracts": contracts_of(found), **_closing(found),
             "options": {word: str(found.options[word]) for word in found.source.staged_words if word in found.options}}
            for found in company.connections.values()
        ],
    }


def _closing(connection: Connection) -> dict[str, Any]:
    """The calendar of closing that a connection declares, and from when."""
    if connection.close_days is None:
        return {}
    return {"close_days": connection.close_days, "start_date": connection.start_date}


def contracts_of(connection: Connection) -> list[dict[str, Any]]:
    """What the streams of a company's own system mean, one entry per mapping, with its table."""
    streams = {stream.name: stream for stream in connection.declared}
    found = []
    for name, stream in streams.items():
        for contract, mappings in stream.contracts.items():
            for mapping in mappings:
                told = spec_contracts.described(mapping)
                if mapping.header:
                    told["header"]["table"] = streams[mapping.header.stream].table
                found.append({"contract": contract, "stream": name, "table": stream.table, **told})
    return found


def record_urls(connection: Connection) -> dict[str, str]:
    """{stream: address of a record in the vendor's own pages, with {id} left open}; only where all parts are known."""
    known = {word: str(value) for word, value in connection.options.items()}
    if "account" in known:
        known["account_host"] = known["account"].lower().replace("_", "-")
    if "login_url" in known:
        known["instance_url"] = known["login_url"].rstrip("/")
    urls = {}
    for stream in connection.source.streams:
        if stream.url:
            try:
                urls[stream.name] = stream.url.format_map({**known, "id": "{id}"})
            except KeyError:
                continue  # an address that this connection cannot spell is no address
    return urls


def project_fingerprints(project: Path) -> dict[str, str]:
    """Digests of the models with their macros, and of the seeds: when they change, everything is built anew."""
    models = [path for folder in ("models", "macros") for path in sorted(project.glob(f"{folder}/**/*.sql"))]
    models.append(project / "dbt_project.yml")
    seeds = sorted(project.glob("seeds/**/*.csv"))
    return {"project": manifests.digest(project, models), "seeds": manifests.digest(project, seeds)}


def _as_of_date(books: psycopg.Connection, run_id: int) -> date | None:
    """The day as of which a run looks at the books; None for an unknown run."""
    run = books.execute("select coalesce(logical_at, started_at) from ops.run where run_id = %s", (run_id,)).fetchone()
    return run[0].astimezone(UTC).date() if run else None


def _last_build(books: psycopg.Connection, before: int | None) -> tuple[int, int]:
    """(run_id, batch_id) of the newest good build, or of the newest before a run."""
    found = books.execute(
        "select run_id, batch_id from ops.build_watermark where run_id < coalesce(%s, run_id + 1)"
        " order by run_id desc limit 1", (before,)).fetchone()
    return found or (EVERYTHING, EVERYTHING)


def _systems(company: Company, project: Path) -> tuple[str, ...]:
    systems = tuple(sorted({found.source.staging for found in company.connections.values()}))
    absent = [name for name in systems if not (project / "models" / "staging" / name).is_dir()]
    if absent:
        raise BuildError(f"no staging models for {', '.join(absent)}", hint="see docs/add-a-source.md")
    return systems


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
