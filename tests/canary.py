"""Looks for secrets in everything that a run writes: files of any kind, what Parquet files hold, tables of databases.

Independent of `tieout.logs`: it must find what that filter misses.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pyarrow.parquet as pq

ROLES = ("tieout_loader", "tieout_transformer", "tieout_publisher", "tieout_owner")


@dataclass(frozen=True)
class Leak:
    """A secret by name, in which form, and where."""

    secret: str
    form: str
    where: str


class Hunt:
    """Secrets by name, ready to be looked for. `seen`: how many bytes were searched of each kind of place."""

    def __init__(self, secrets: dict[str, str]) -> None:
        assert all(len(value) >= 12 for value in secrets.values()), "a short value is found by chance"
        self.seen: dict[str, int] = {}
        self._needles = [
            (name, form, needle) for name, value in secrets.items() for form, needle in forms(value).items()
        ]

    def in_bytes(self, text: bytes, where: str, kind: str) -> list[Leak]:
        self.seen[kind] = self.seen.get(kind, 0) + len(text)
        return [Leak(name, form, where) for name, form, needle in self._needles if needle in text]

    def in_folder(self, folder: Path, without: tuple[Path, ...] = ()) -> list[Leak]:
        """All files below, Parquet and SQLite by their content."""
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(path.is_relative_to(each) for each in without):
                found += self.in_file(path)
        return found

    def in_file(self, path: Path) -> list[Leak]:
        name, kind = str(path), path.suffix or "file"
        if path.suffix == ".parquet":
            return [leak for text in _parquet(path) for leak in self.in_bytes(text, name, kind)]
        if path.suffix == ".db":
            return [leak for table, text in _sqlite(path)
                    for leak in self.in_bytes(text, f"{name}: {table}", f"sqlite {table}")]  # fmt: skip
        return self.in_bytes(path.read_bytes(), name, kind)

    def in_warehouse(self, dsn: dict[str, str], passwords: dict[str, str]) -> list[Leak]:
        """Every row of every table and view of every schema, as JSON, by whichever role may read it.

        A record's own text form doubles quotes and backslashes, and COPY doubles them again: no needle looks like that.
        """
        found, tables = [], None
        unread: set[str] = set()
        for role in ROLES:
            with psycopg.connect(**dsn, user=role, password=passwords[role], autocommit=True) as db:
                if tables is None:
                    unread = tables = _tables(db)
                for table in sorted(unread):
                    try:
                        text = "\n".join(row for (row,) in db.execute(f"select to_jsonb(t)::text from {table} t"))
                    except psycopg.errors.InsufficientPrivilege:
                        continue
                    unread = unread - {table}
                    found += self.in_bytes(text.encode(), table, f"schema {table.split('.')[0]}")
        assert not unread, f"nobody may read {unread}"
        return found


def forms(value: str) -> dict[str, bytes]:
    """Plain, URL-encoded, JSON-escaped and base64, at each of its three alignments."""
    found = {
        "plain": value, "url": quote(value, safe=""), "url plus": quote_plus(value), "json": json.dumps(value)[1:-1],
        "json twice": json.dumps(json.dumps(value)[1:-1])[1:-1], "json utf-8": _json(value),
        "json utf-8 twice": _json(_json(value)),
    }  # fmt: skip
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value.encode()).decode()
        core = text[4 if before else 0 : len(text) - 4]  # whole groups of the value alone
        found |= {f"base64 {before}": core, f"base64url {before}": core.replace("+", "-").replace("/", "_")}
    return {form: text.encode() for form, text in found.items()}


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _parquet(path: Path) -> Iterator[bytes]:
    file = pq.ParquetFile(path)
    yield repr(file.schema_arrow.metadata).encode()
    for group in range(file.num_row_groups):
        for column in file.read_row_group(group).columns:
            yield b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in column.to_pylist())


def _sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.text_factory = bytes
        for (name,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = db.execute(f'select * from "{name.decode()}"').fetchall()
            cells = [c if isinstance(c, bytes) else str(c).encode() for row in rows for c in row if c is not None]
            yield name.decode(), b"\n".join(cells)


def _tables(db: psycopg.Connection) -> set[str]:
    return {
        f'{schema}."{name}"' for schema, name in db.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^(pg_|information_schema)'")
    }  # fmt: skip
