"""Conventions of the dbt project that no linter knows."""

from __future__ import annotations

import re

from tests.conftest import ROOT

MODELS = sorted((ROOT / "dbt_project" / "models").glob("**/*.sql"))
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
