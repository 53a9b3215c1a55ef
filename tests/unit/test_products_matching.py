"""Products: codes and GTINs decide, texts propose."""

from __future__ import annotations

import random

from tieout.matching import products

GTIN = "4006381333931"


def rows(*told: tuple) -> list[tuple]:
    """(connection, id, code, gtin, name) with the role of the connection."""
    return [(*row, row[0]) for row in told]


def keys(*told: tuple, **decided) -> dict[tuple[str, str], str]:
    found = products.match(rows(*told), **decided).keys
    return {
        (row[0], row[1]): found.get((row[0], row[1]), (products.key_of(row[0], row[1], (row[2] or "").upper()),))[0]
        for row in told
    }


def test_a_gtin_joins_what_codes_keep_apart() -> None:
    found = keys(("crm", "1", None, GTIN, "Pen"), ("erp", "2", "SKU-2", f"0{GTIN}", "Stylo"))
    assert found["crm", "1"] == found["erp", "2"] == products.key_of("erp", "2", "SKU-2")


def test_a_gtin_whose_check_digit_is_wrong_joins_nothing() -> None:
    assert products.gtin("4006381333932") == "" and products.gtin("0000000000000") == ""
    found = keys(("crm", "1", None, "4006381333932", "Pen"), ("erp", "2", "SKU-2", "4006381333932", "Stylo"))
    assert found["crm", "1"] != found["erp", "2"]


def test_the_same_text_joins_and_a_like_one_is_reviewed() -> None:
    found = products.match(
        rows(
            ("crm", "1", None, None, "Drill Press 500W"),
            ("erp", "2", "A", None, "500W DRILL-PRESS"),
            ("crm", "3", None, None, "Bench Grinder Pro"),
            ("erp", "4", "B", None, "Bench Grinder Pros"),
        )
    )
    assert set(found.keys) == {("crm", "1")}
    assert [(pair.a[1], pair.b[1], pair.zone) for pair in found.pairs] == [("1", "2", "auto"), ("3", "4", "review")]


def test_the_same_text_under_two_codes_is_reviewed() -> None:
    found = products.match(rows(("crm", "1", "A", None, "Lamp"), ("erp", "2", "B", None, "Lamp")))
    assert [pair.zone for pair in found.pairs] == ["review"] and found.keys == {}


def test_sizes_must_be_equal() -> None:
    assert (
        products.match(rows(("crm", "1", None, None, "Oil 250 ml"), ("erp", "2", "A", None, "Oil 500 ml"))).pairs == ()
    )


def test_two_that_look_alike_are_a_question() -> None:
    found = products.match(
        rows(
            ("crm", "1", None, None, "Steel Bolt"),
            ("erp", "2", "A", None, "Steel Bolt"),
            ("erp", "3", "B", None, "Steel Bolts"),
        )
    )
    assert [pair.zone for pair in found.pairs] == ["review"] and found.keys == {}


def test_a_text_does_not_overrule_a_code_of_the_same_system() -> None:
    found = keys(("crm", "1", "A", None, "Lamp"), ("erp", "2", "A", None, "Lamp"), ("crm", "3", "B", None, "Lamp"))
    assert found["crm", "1"] == found["erp", "2"] != found["crm", "3"]


def test_decisions_win() -> None:
    told = (
        ("crm", "1", "A", None, "Lamp"),
        ("erp", "2", "B", None, "Torch"),
        ("erp", "3", None, GTIN, "Pen"),
        ("crm", "4", None, GTIN, "Pen"),
    )
    found = keys(*told, same=[(("crm", "1"), ("erp", "2"))], parted=[(("erp", "3"), ("crm", "4"))])
    assert found["crm", "1"] == found["erp", "2"] and found["erp", "3"] != found["crm", "4"]


def test_the_order_of_the_rows_changes_nothing() -> None:
    draw = random.Random(3)
    told = rows(
        *(
            (
                where,
                str(n),
                None if draw.random() < 0.5 else f"C{draw.randrange(40)}",
                None,
                f"{draw.choice(('Steel', 'Iron'))} {draw.choice(('Bolt', 'Nut', 'Pin'))} M{draw.randrange(9)}",
            )
            for n in range(60)
            for where in ("crm", "erp")
        )
    )
    first = products.match(told)
    assert first.pairs and products.match(draw.sample(told, len(told))) == first
