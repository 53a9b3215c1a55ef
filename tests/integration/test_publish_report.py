"""The closing table and the report, from a published warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.controls import synthetic
from tieout.errors import PublishError
from tieout.publish import pointer, report, summary
from tieout.warehouse import connect

EVIL = "<script>alert(1)</script> & Söhne"


@pytest.fixture(scope="module")
def published() -> Iterator[None]:
    with synthetic.own_warehouse():
        with connect("owner") as connection:
            synthetic.fill_ops(connection)
        with connect("transformer") as connection:
            synthetic.create_marts(connection)
            synthetic.fill_marts(connection)
            connection.execute("update marts.rec_break set customer_name = %s", (EVIL,))
            for suite, expectation in (("marts.fct_revenue", "key_unique"), ("gate", "all_declared_evaluated")):
                connection.execute(
                    "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed) "
                    "values (1, 'marts', %s, %s, 'critical', true)", (suite, expectation))
            connection.execute(
                "insert into ops.gate_result (run_id, stage, suite, expectation, severity, passed, observed) "
                "values (1, 'marts', 'marts.rec_break', 'stale_owner', 'warning', false, '3 offending rows')")
        yield


@pytest.fixture(scope="module")
def page(published: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    pointer.publish(1)
    path = report.write(None, tmp_path_factory.mktemp("report") / "deep" / "report.html")
    assert [found.name for found in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


class _Tags(HTMLParser):
    VOID = {"meta", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _parsed(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_nothing_published_is_an_error(published, tmp_path):
    with connect("publisher") as connection:
        if connection.execute("select 1 from ops.publication").fetchone():
            pytest.skip("published by an earlier test")
    with pytest.raises(PublishError, match="nothing was published"):
        report.write(None, tmp_path / "x.html")


def test_the_page_is_well_formed_and_loads_nothing(page):
    tags = _parsed(page)
    assert {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe", "object", "embed"} == set()
    loads = [value for _, attrs in tags.seen for name, value in attrs.items() if name in ("src", "srcset", "data")]
    assert loads == []
    assert "@import" not in page and "url(" not in page
    policy = {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    assert ("meta", policy) in tags.seen


def test_the_page_says_what_was_published(page):
    text = re.sub(r"\s+", " ", " ".join(_parsed(page).text))
    assert "Unexplained: USD 0.00" in text
    assert "as of 1 July 2026" in text
    for words in ("Deal → order", "Invoice → ledger", "A10", "Overdue", "US01", "stale owner", "3 offending rows",
                  "netsuite", "1 of 1", "reporting.as_of(1)"):
        assert words in text, words
    assert "40.00" in text


def test_source_text_is_escaped_and_links_lead_to_the_vendor(page):
    tags = _parsed(page)
    assert "<script>" not in page
    assert EVIL in " ".join(tags.text)
    links = [attrs for tag, attrs in tags.seen if tag == "a"]
    assert links and {link["href"] for link in links} == {"https://example.invalid/20"}
    assert {link["rel"] for link in links} == {"noopener noreferrer"}


def test_an_unexplained_amount_is_the_headline(page, tmp_path: Path):
    with connect("transformer") as connection:
        connection.execute("update marts.rec_summary set group_unexplained_amount = 12.5 where hop = 'invoice_cash'")
        connection.execute("update marts.rec_summary set group_unexplained_amount = -2.5 where hop = 'deal_order'")
    try:
        text = report.write(1, tmp_path / "report.html").read_text(encoding="utf-8")
        assert "USD 15.00 of the differences have no reason" in text, "hops must not cancel one another out"
        assert '<h1 class="bad">' in text
        rows = {row.hop: row.unexplained_amount for row in summary.hop_table()}
        assert rows["invoice_cash"] == Decimal("12.5")
    finally:
        with connect("transformer") as connection:
            connection.execute("update marts.rec_summary set group_unexplained_amount = 0")


def test_an_unpublished_run_has_no_report(page, tmp_path):
    with pytest.raises(PublishError, match="run 77 was never published"):
        report.write(77, tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


def test_the_hop_table(page):
    rows = summary.hop_table()
    assert [row.hop for row in rows] == list(synthetic.HOPS) == list(summary.HOPS)
    cash = rows[2]
    assert (cash.currency, cash.left.count, cash.left.amount, cash.right.amount) == ("USD", 1, 110, 70)
    assert (cash.left.broken_count, cash.left.broken_amount, cash.left.matched_count) == (1, 110, 0)
    assert (cash.gap_amount, cash.unexplained_amount, cash.break_count, cash.expected_count) == (40, 0, 1, 0)
    assert [row.matched_rate for row in rows] == [1, 1, 0, 1]
    assert summary.hop_table(1) == rows


def test_the_hop_table_in_a_terminal(page):
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=140).print(summary.render(summary.hop_table()))
    assert "Invoice → cash" in out.getvalue()
    assert re.search(r"Invoice → cash\s+1\s+110\.00\s+1\s+70\.00\s+0\.0 %\s+1\s+40\.00\s+0\.00", out.getvalue())
    assert "Nothing is published" in str(summary.render([]).title)
