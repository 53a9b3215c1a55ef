"""Layers and names of the dbt project, read from the SQL: raw → base → stg → int → marts, never backwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LAYERS = ("base", "stg", "int", "dim", "fct", "rec", "fin")
# What a layer may read by ref. `source()` is for base models only.
MAY_READ = {
    "base": set(),
    "stg": {"base", "stg"},
    "int": {"stg", "int"},
    "dim": {"stg", "int", "dim"},
    "fct": {"stg", "int", "dim"},
    "rec": {"int", "dim", "fct", "rec"},
    "fin": {"int", "dim", "fct", "rec", "fin"},
}
FOLDERS = {
    "base": "staging",
    "stg": "staging",
    "int": "intermediate",
    "dim": "marts",
    "fct": "marts",
    "rec": "marts",
    "fin": "marts",
}
LONGEST = {"base": 54}  # a base model carries the vendor's own word, however long; dbt adds at most nine characters
ELSE_LONGEST = 46
# Calendars: made from seeds and the clock alone, so every layer may look something up in them.
CALENDARS = {"dim_date", "dim_currency"}
# The change set needs versions that base models filter out, so these read what was landed.
SYSTEM = "[a-z0-9]+(_[a-z0-9]+)*"  # as source.yml names it
CHANGE_SETS = re.compile(f"stg_{SYSTEM}__documents_touched")
# Engine-specific SQL lives in macros, behind adapter.dispatch.
POSTGRES_ONLY = {
    "cast by ::": r"::\s*[a-z]",
    "distinct on": r"\bdistinct\s+on\b",
    "filter (where)": r"\bfilter\s*\(\s*where\b",
    "ilike": r"\bilike\b",
}
REF = re.compile(r"ref\(\s*['\"](\w+)['\"]\s*\)")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)


def sql_of(path: Path) -> str:
    """The model's text without comments and string literals."""
    return re.sub(r"'[^']*'", "''", COMMENT.sub("", path.read_text(encoding="utf-8"))).lower()


def layer(name: str) -> str:
    return name.partition("_")[0]


def bad_names(names: list[str]) -> list[str]:
    """Unknown prefix, too long, or a form that the layer does not have."""
    forms = {
        "base": f"base_{SYSTEM}__[a-z0-9_]+",
        "stg": f"stg_{SYSTEM}__[a-z0-9_]+",
        "int": r"int_[a-z0-9]+(_[a-z0-9]+)*(__[a-z0-9_]+)?",
    }
    return [
        name
        for name in names
        if layer(name) not in LAYERS
        or len(name) > LONGEST.get(layer(name), ELSE_LONGEST)
        or not re.fullmatch(forms.get(layer(name), r"[a-z0-9_]+"), name)
    ]


WRITTEN_BETWEEN = re.compile(
    r"\bsource\('(identity', 'int_\w+|decisions', '(identity_decision|document_crossref)_now)'\)"
)


def bad_refs(name: str, text: str, seeds: set[str]) -> list[str]:
    """References against the flow."""
    free = seeds | (set() if layer(name) in ("base", "stg") else CALENDARS)
    wrong = [ref for ref in REF.findall(text) if ref not in free and layer(ref) not in MAY_READ.get(layer(name), set())]
    if layer(name) == "int":  # what matching in Python wrote in the middle of the build, and what people decided
        text = WRITTEN_BETWEEN.sub("", text)
    if layer(name) != "base" and not CHANGE_SETS.fullmatch(name) and re.search(r"\bsource\(", text):
        wrong.append("source()")
    return wrong


def engine_words(text: str) -> list[str]:
    return [word for word, pattern in POSTGRES_ONLY.items() if re.search(pattern, text)]


@pytest.fixture(scope="module")
def models(root):
    found = {path.stem: path for path in sorted((root / "dbt_project" / "models").rglob("*.sql"))}
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def seeds(root):
    return {path.stem for path in (root / "dbt_project" / "seeds").rglob("*.csv")}


def test_names(models):
    assert bad_names(list(models)) == []


def test_names_can_be_wrong():
    wrong = ["tmp_orders", "base_orders", "stg_orders", "stg__orders", "int_" + "x" * 60]
    assert bad_names([*wrong, "int_orders__unioned", "fct_revenue", "base_netsuite__item"]) == wrong


def test_every_model_is_in_its_layers_folder(models, root):
    for name, path in models.items():
        assert path.relative_to(root / "dbt_project" / "models").parts[0] == FOLDERS[layer(name)], path


def test_references_follow_the_layers(models, seeds):
    refs = {name: path.read_text(encoding="utf-8") for name, path in models.items()}
    assert sum(len(REF.findall(COMMENT.sub("", text))) for text in refs.values()) > 60
    wrong = {name: found for name, text in refs.items() if (found := bad_refs(name, COMMENT.sub("", text), seeds))}
    assert wrong == {}


def test_a_reference_against_the_flow_is_seen():
    assert bad_refs("stg_x__orders", "select 1 from {{ ref('fct_revenue') }}", set()) == ["fct_revenue"]
    assert bad_refs("fct_revenue", "select 1 from {{ source('raw', 'a') }}", set()) == ["source()"]
    assert bad_refs("stg_x__orders", "select 1 from {{ ref('map_x_codes') }}", {"map_x_codes"}) == []
    assert bad_refs("int_x__known", "select 1 from {{ source('identity', 'int_x__clustered') }}", set()) == []
    assert bad_refs("int_x", "select 1 from {{ source('decisions', 'identity_decision_now') }}", set()) == []
    assert bad_refs("int_x", "select 1 from {{ source('decisions', 'document_crossref_now') }}", set()) == []
    assert bad_refs("int_x", "select 1 from {{ source('decisions', 'other') }}", set()) == ["source()"]
    assert bad_refs("int_x__known", "select 1 from {{ source('raw', 'int_x') }}", set()) == ["source()"]
    assert bad_refs("dim_x", "select 1 from {{ source('identity', 'int_x__clustered') }}", set()) == ["source()"]


def test_no_engine_specific_sql_in_models(models):
    wrong = {name: found for name, path in models.items() if (found := engine_words(sql_of(path)))}
    assert wrong == {}


def test_engine_specific_sql_is_seen():
    assert engine_words("select distinct on (a) a::text, sum(b) filter (where c) from t where a ilike 'x'") == list(
        POSTGRES_ONLY
    )


def test_the_five_schemas_are_configured(root):
    from ruamel.yaml import YAML

    project = YAML(typ="safe").load((root / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    (ours,) = project["models"].values()
    assert {folder: ours[folder]["+schema"] for folder in ("staging", "intermediate", "marts")} == {
        "staging": "staging",
        "intermediate": "intermediate",
        "marts": "marts",
    }
