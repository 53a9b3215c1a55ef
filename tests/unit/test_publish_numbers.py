"""Numbers and charts of the report."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from decimal import Decimal

import pytest

from tieout.publish import charts
from tieout.publish.numbers import Numbers, count, percent
from tieout.publish.report import safe_link

NUMBERS = Numbers("USD", {"USD": 2, "JPY": 0, "KWD": 3})


@pytest.mark.parametrize(("value", "currency", "shown"), [
    ("1234567.5", "USD", "1,234,567.50"), ("-1234.565", "USD", "−1,234.57"), ("1234.5", "JPY", "1,235"),
    ("1.2345", "KWD", "1.235"), ("-0.001", "USD", "0.00"), ("0", None, "0.00"), ("5", "XYZ", "5.00"),
    ("99999999999999999.99", "USD", "99,999,999,999,999,999.99")])
def test_amounts_have_the_minor_units_of_their_currency(value, currency, shown):
    assert NUMBERS.amount(Decimal(value), currency) == shown


def test_absent_is_not_zero():
    assert NUMBERS.amount(None) == NUMBERS.compact(None) == count(None) == percent(None, 1) == percent(1, 0) == "–"


@pytest.mark.parametrize(("value", "shown"), [
    (0, "0"), (999, "999"), (1000, "1.00 k"), (-12345, "−12.3 k"), (123456789, "123 M"), (2 * 10**9, "2.00 B")])
def test_compact(value, shown):
    assert NUMBERS.compact(Decimal(value)) == shown


@pytest.mark.parametrize(("part", "whole", "shown"), [
    (1, 3, "33.3 %"), (9999, 10000, "99.9 %"), (10000, 10000, "100.0 %"), (0, 10, "0.0 %"), (1, 100000, "< 0.1 %")])
def test_a_percentage_never_rounds_to_all_or_nothing(part, whole, shown):
    assert percent(part, whole) == shown


@pytest.mark.parametrize(("url", "kept"), [
    ("https://x.example/1", True), ("http://x.example", True), ("javascript:alert(1)", False),
    ("data:text/html,x", False), ("JAVASCRIPT:alert(1)", False), (None, False), ("", False)])
def test_only_web_links_are_links(url, kept):
    assert safe_link(url) == (url if kept else None)


def _rects(svg: str) -> list[dict[str, str]]:
    root = ET.fromstring(svg)
    return [rect.attrib for rect in root.iter("{http://www.w3.org/2000/svg}rect")]


def test_a_waterfall_leads_from_level_to_level():
    steps = [charts.Step("A", Decimal(100), "100", True), charts.Step("b", Decimal(-40), "-40", False),
             charts.Step("c", Decimal(10), "10", False), charts.Step("D", Decimal(70), "70", True)]
    rects = _rects(charts.waterfall(steps))
    assert [rect["class"] for rect in rects] == ["calm", "bad", "good", "calm"]
    ends = [float(rect["x"]) + float(rect["width"]) for rect in rects]
    assert ends[1] == pytest.approx(ends[0], abs=0.2), "a loss starts where the level ended"
    assert ends[2] == pytest.approx(ends[3], abs=0.2), "the last movement meets the next level"
    assert float(rects[2]["x"]) == pytest.approx(float(rects[1]["x"]), abs=0.2)


def test_bars_are_in_proportion():
    rects = _rects(charts.bars([charts.Bar("a", Decimal(200), "200"), charts.Bar("b", Decimal(-50), "-50")]))
    assert float(rects[0]["width"]) == pytest.approx(4 * float(rects[1]["width"]), rel=0.01)


def test_shares_are_columns_of_one_height():
    rects = _rects(charts.columns([charts.Share("1/26", 5, 10), charts.Share("2/26", 0, 0)]))
    assert [rect["class"] for rect in rects] == ["pale", "calm"] * 2
    assert float(rects[1]["height"]) * 2 == float(rects[0]["height"])
    assert float(rects[3]["height"]) == 0


def test_negative_parts_take_no_room():
    rects = _rects(charts.stack([charts.Bar("a", Decimal(3), "3"), charts.Bar("b", Decimal(-5), "-5")]))
    assert len(rects) == 1


@pytest.mark.parametrize("draw", [
    lambda text: charts.bars([charts.Bar(text, Decimal(1), text, text)]),
    lambda text: charts.waterfall([charts.Step(text, Decimal(1), text, True)]),
    lambda text: charts.columns([charts.Share(text, 1, 1)]), lambda text: charts.strip([("good", text)]),
    lambda text: charts.stack([charts.Bar(text, Decimal(1), text)])])
def test_text_in_charts_is_escaped(draw):
    svg = draw("<script>alert('x')</script> & Co")
    assert "<script" not in svg
    ET.fromstring(svg)


def test_nothing_to_draw_is_nothing():
    assert charts.bars([]) == charts.waterfall([]) == charts.columns([]) == charts.stack([]) == ""
