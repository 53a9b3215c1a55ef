"""The SQL of declared checks: placeholders of `statement:`, and what `block_when:` means.

Placeholders: `{rows}` the table's rows under check, `{table}` the table with all its versions, `{raw.x}` `{marts.x}`
`{ops.load}` the rows under check of another table, `{seed.x}` a seed of the dbt project (all columns text),
`{run_id}` the run. Each row source is a subquery and needs an alias.

Rows under check are: of `raw` the current versions that are not deleted; of `marts` the run's versions (the candidate);
of `ops.load` the committed loads that the last build has not consumed.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tieout import settings
from tieout.errors import ConfigError

if TYPE_CHECKING:
    from tieout.quality.suites import BlockWhen

SAMPLE_ROWS = 20
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = re.compile(r"rows|table|run_id|(?:raw|marts)\.[a-z][a-z0-9_]*|ops\.load|seed\.[a-z][a-z0-9_]*")

# Batches that a build has not consumed, and those of the run itself (so that a repeated check sees the same).
_LOADS = """(select * from ops.load
  where state = 'committed'
    and (run_id = {run_id}
         or batch_id > coalesce((select max(w.batch_id) from ops.build_watermark w where w.run_id < {run_id}), -1)))"""


def template(statement: str | None, block_when: BlockWhen | None) -> str | None:
    """The statement with its placeholders verified, or the one that `block_when` stands for. Raises ConfigError."""
    text = _share(block_when) if block_when else statement
    if text is None:
        return None
    for word in _PLACEHOLDER.findall(text):
        if not _KNOWN.fullmatch(word):
            raise ConfigError(f"unknown placeholder {{{word}}}",
                              hint="known: rows, table, run_id, raw.<table>, marts.<table>, ops.load, seed.<seed>")
        if word.startswith("seed."):
            _seed(word.removeprefix("seed."))
    return text.strip().rstrip(";")


def render(text: str, table: str, run_id: int) -> str:
    """SQL ready to run: every placeholder replaced."""
    return _PLACEHOLDER.sub(lambda found: _source(found[1], table, run_id), text)


def rows(table: str, run_id: int) -> str:
    """A select of the rows under check of `raw.x`, `marts.x` or `ops.load`."""
    return _source(table, table, run_id)[1:-1]


def sampled(sql: str) -> str:
    """At most SAMPLE_ROWS of the offending rows, each with the exact count of all of them: one pass."""
    return f"select count(*) over () as failed_rows_, offending_.* from (\n{sql}\n) as offending_ limit {SAMPLE_ROWS}"


def _source(word: str, table: str, run_id: int) -> str:
    if word == "run_id":
        return str(int(run_id))
    if word == "table":
        return table
    if word.startswith("seed."):
        return _seed(word.removeprefix("seed."))
    name = table if word == "rows" else word
    if name.startswith("raw."):
        return f"(select * from {name} where _superseded_batch is null and not _is_deleted)"
    if name.startswith("marts."):
        # The run's own versions, whatever a later build is doing meanwhile or left behind when it died.
        return f"(select * from {name} where recorded_run <= {int(run_id)} and superseded_run > {int(run_id)})"
    if name == "ops.load":
        return _LOADS.format(run_id=int(run_id))
    return f"(select * from {name})"


def _share(rule: BlockWhen) -> str:
    by = ", ".join(rule.by)
    lead, group = (f"{by}, ", f"\ngroup by {by}") if by else ("", "")
    return (
        f"select {lead}sum({rule.amount}) as amount, sum({rule.of}) as whole\nfrom {{rows}} as r{group}\n"
        f"having sum({rule.amount}) * 100 > {_percent(rule.above_pct)} * sum({rule.of})"
    )


def _percent(value: int | str) -> int:
    if isinstance(value, int):
        return value
    known = settings.settings()
    if not value.endswith("_pct") or not isinstance(getattr(known, value, None), int):
        raise ConfigError(f"above_pct: {value!r} is neither a number nor a setting that ends in _pct")
    return getattr(known, value)


@cache
def _seed(name: str) -> str:
    """A dbt seed as a VALUES list: landing is checked before dbt has ever loaded its seeds."""
    folder = settings.settings().dbt_project / "seeds"
    paths = sorted(folder.rglob(f"{name}.csv"))
    if len(paths) != 1:
        raise ConfigError(f"{len(paths)} seeds named {name} in {folder}", hint="a seed is <name>.csv")
    header, records = _records(paths[0])
    if not records:
        raise ConfigError(f"seed {paths[0]} is empty")
    lists = ",\n".join("(" + ", ".join(_literal(value) for value in record) + ")" for record in records)
    return f"(select * from (values\n{lists}) as seed_ ({', '.join(header)}))"


def _records(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as handle:
        header, *records = [row for row in csv.reader(handle) if row]
    for column in header:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", column):
            raise ConfigError(f"{path}:1: {column!r} is not a column name")
    return header, records


def _literal(value: str) -> str:
    return "cast(null as text)" if value == "" else "'" + value.replace("'", "''") + "'::text"
