"""Conventions of the dbt project that no linter knows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import ROOT

PROJECT = ROOT / "dbt_project"
MODELS = sorted((PROJECT / "models").glob("**/*.sql"))
# Spark, DuckDB and others do not know these; what differs between engines is in macros/engine.sql.
POSTGRES_ONLY = {
    "a cast by ::": r"::",
    "distinct on": r"\bdistinct\s+on\b",
    "filter (where)": r"\bfilter\s*\(",
    "a json arrow": r"->",
    "ilike": r"\bilike\b",
    "generate_series": r"\bgenerate_series\b",
    "a regex operator": r"!?~\*?\s*'",
}


def statement(text: str) -> str:
    """The SQL without comments and Jinja."""
    return re.sub(r"--[^\n]*", "", re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.S))


def test_there_are_models() -> None:
    assert len(MODELS) > 50


def test_models_hold_no_sql_that_only_postgres_knows() -> None:
    found = [
        f"{path.name}: {what}" for path in MODELS for what, pattern in POSTGRES_ONLY.items()
        if re.search(pattern, statement(path.read_text(encoding="utf-8")), re.I)
    ]
    assert found == []


def test_names_fit_into_postgres_with_dbts_suffixes() -> None:
    """A view becomes `<name>__dbt_backup`; a table's names for a moment carry a time, too."""
    assert [path.stem for path in MODELS if len(path.stem) > (51 if path.stem.startswith("base_") else 46)] == []


def test_layers_are_named_by_their_prefix() -> None:
    prefixes = {"staging": ("base_", "stg_"), "intermediate": ("int_",), "marts": ("fct_", "dim_", "rec_", "fin_")}
    wrong = [path.name for path in MODELS
             if not path.name.startswith(prefixes[path.relative_to(ROOT / "dbt_project" / "models").parts[0]])]
    assert wrong == []


def properties(folder: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(file, content) of the properties in a folder of the project."""
    for path in sorted((PROJECT / folder).glob("**/*.yml")):
        yield path, YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def test_unit_tests_beyond_staging_need_no_system() -> None:
    """A company without NetSuite has no stg_netsuite__…: a test that gives its rows would fail there."""
    given = [(path.name, test["name"], row["input"]) for path, told in properties("models")
             if path.relative_to(PROJECT / "models").parts[0] != "staging"
             for test in told.get("unit_tests", ()) for row in test["given"]]
    assert len(given) > 50
    assert [found for found in given if re.search(r"\b(stg|base)_", found[2])] == []


def test_seeds_hold_only_the_words_that_they_accept() -> None:
    checked, wrong = 0, []
    for _, told in properties("seeds"):
        for seed in told["seeds"]:
            path = next((PROJECT / "seeds").glob(f"**/{seed['name']}.csv"))
            with path.open(encoding="utf-8", newline="") as stream:
                lines = list(csv.DictReader(stream))
            for column in seed.get("columns", ()):
                for test in column.get("data_tests", ()):
                    if isinstance(test, dict) and "accepted_values" in test:
                        accepted = {str(word) for word in test["accepted_values"]["arguments"]["values"]}
                        found = {line[column["name"]] for line in lines} - {""}
                        checked += 1
                        wrong += [(seed["name"], column["name"], word) for word in sorted(found - accepted)]
    assert checked > 10
    assert wrong == []
