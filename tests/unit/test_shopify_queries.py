"""What is asked of Shopify, held against the vendor's own schema of each version that is here."""

from __future__ import annotations

import pytest
from graphql import NoDeprecatedCustomRule, parse, validate

from simulator.shopify_api.bulk import check
from simulator.shopify_api.schema import schema_of, versions
from tieout.extract.admin_graphql import _SCOPES, VERSION
from tieout.extract.admin_graphql_bulk import _CANCEL, _POLL, _START
from tieout.extract.admin_graphql_select import Shape, Step, connection
from tieout.spec import load_source

SOURCE = load_source("shopify")
ROOTS = [stream for stream in SOURCE.streams if not stream.explode]


def shape_of(stream) -> Shape:
    nested = [each for each in SOURCE.streams if each.explode and each.parent.stream == stream.name]
    return Shape(stream, nested, {})


def query_of(stream) -> str:
    *above, last = stream.options["root"].split(".")
    shape = shape_of(stream)
    if stream.options.get("single"):
        return f"{{ {last} {{ {shape.selection.text(1)} }} }}"
    given = f'query: "", sortKey: {stream.options["sort"]}'
    text = connection(Step(last, given=given, many=True), shape.selection, 5, 5, "cursor")
    for word in reversed(above):
        text = f"{word} {{ {text} }}"
    return f"{{ {text} }}"


def bulk_query_of(stream) -> str:
    wanted = shape_of(stream).selection.text(None)
    return f'{{ {stream.options["root"]} {{ edges {{ node {{ __typename id {wanted} }} }} }} }}'


def test_the_version_that_is_asked_is_one_whose_schema_is_here() -> None:
    assert VERSION in versions()
    assert len(versions()) >= 3 and len(ROOTS) == 7


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("stream", ROOTS, ids=lambda stream: stream.name)
def test_every_query_fits_the_vendors_schema(stream, version) -> None:
    assert validate(schema_of(version), parse(query_of(stream))) == []


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("stream", ROOTS, ids=lambda stream: stream.name)
def test_no_query_asks_for_a_field_that_vanishes_with_the_next_version(stream, version) -> None:
    """Deprecated fields go, version by version: totalPrice, email, currentBulkOperation."""
    assert validate(schema_of(version), parse(query_of(stream)), [NoDeprecatedCustomRule]) == []


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("text", [_START, _POLL, _CANCEL, _SCOPES])
def test_what_runs_an_operation_fits_the_vendors_schema(text, version) -> None:
    assert validate(schema_of(version), parse(text)) == []


def test_a_field_that_the_vendor_does_not_have_is_found() -> None:
    """The check can fail: a misspelled field, and one that is deprecated."""
    schema = schema_of(VERSION)
    assert validate(schema, parse("{ orders(first: 1) { edges { node { totalPriceSett { __typename } } } } }"))
    assert validate(schema, parse("{ currentBulkOperation { id } }"), [NoDeprecatedCustomRule])


@pytest.mark.parametrize("stream", [each for each in ROOTS if not each.options.get("pages_only")
                                    and not each.options.get("single")], ids=lambda stream: stream.name)
def test_every_bulk_query_keeps_the_vendors_limits(stream) -> None:
    """One root, at most five connections, two levels, none of them in a list."""
    assert check(bulk_query_of(stream), schema_of(VERSION)) == ""


@pytest.mark.parametrize(("query", "words"), [
    ("{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }", "within a list"),
    ("{ shop { id } orders { edges { node { id } } } }", "exactly one"),
    ("{ shop { id } }", "at least one"),
    ('{ node(id: "gid://shopify/Order/1") { id } }', "top-level `node`"),
    ("{ orders { edges { node { nope } } } }", "Invalid bulk query"),
])  # fmt: skip
def test_the_stand_in_refuses_bulk_queries_as_the_vendor_does(query, words) -> None:
    assert words in check(query, schema_of(VERSION))
