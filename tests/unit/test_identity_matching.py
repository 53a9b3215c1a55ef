"""Pairs that were traps, and how well unseen companies are matched. The weights were tuned on none of these seeds."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from tests.identity import judge, register, simulated
from tieout.errors import ConfigError
from tieout.matching import identity_blocks, identity_records, identity_score

UNITS = {"crm": "one", "erp": "one", "other": "two"}
FAR_AWAY = 40  # companies that have nothing to do with it, so that words have a rarity


def zone(*rows: dict[str, Any]) -> tuple[str, str, bool]:
    """(zone, veto, whether one customer) of the first two rows among strangers."""
    told = [
        {
            "connection": "crm" if n == 0 else "erp",
            "customer_id": f"r{n}",
            "role": "crm" if n == 0 else "erp",
            "is_person": False,
            "country_code": "DE",
            **row,
        }
        for n, row in enumerate(rows)
    ]
    told += [
        {
            "connection": where,
            "customer_id": f"s{n}",
            "role": where,
            "name": f"{word} Logistik AG",
            "is_person": False,
            "country_code": "DE",
        }
        for n in range(FAR_AWAY)
        for where, word in (("crm", f"Qu{n:03}rz"), ("erp", f"Xy{n:03}lo"))
    ]
    records, pairs, _, cluster = judge.matched(told, UNITS)
    place = {id_: at for at, id_ in enumerate(records.id)}
    one, two = sorted((place["r0"], place["r1"]))
    at = np.flatnonzero((pairs.left == one) & (pairs.right == two))
    if not len(at):
        return "apart", "", bool(cluster[one] == cluster[two])
    n = at[0]
    return identity_score.ZONES[pairs.zone[n]], identity_score.VETOES[pairs.veto[n]], bool(cluster[one] == cluster[two])


def test_a_distinctive_name_in_one_country_is_the_same() -> None:
    assert zone({"name": "Nordhelle Pumpen GmbH"}, {"name": "NORDHELLE PUMPEN"}) == ("auto", "", True)


def test_the_same_name_in_another_country_is_not() -> None:
    found = zone({"name": "Nordhelle Pumpen"}, {"name": "Nordhelle Pumpen", "country_code": "AT"})
    assert found[0] != "auto" and not found[2]


def test_a_typing_error_needs_something_else() -> None:
    assert zone({"name": "Nordhelle Pumpen"}, {"name": "Nordhlele Pumpen"})[0] != "auto"
    place = {"street": "Hauptstr. 5", "postal_code": "89073", "city": "Ulm"}
    assert zone({"name": "Nordhelle Pumpen", **place}, {"name": "Nordhlele Pumpen", **place}) == ("auto", "", True)


def test_a_shared_host_alone_is_nothing() -> None:
    assert not zone({"name": "Nordhelle", "domain": "h.de"}, {"name": "Sauerland Stahl", "domain": "h.de"})[2]


def test_one_host_in_two_countries_is_an_affiliate_however_alike() -> None:
    found = zone(
        {"name": "Nordhelle Pumpen", "domain": "n.com", "phone": "030 1234567"},
        {"name": "Nordhelle Pumpen", "domain": "n.com", "phone": "030 1234567", "country_code": "FR"},
    )
    assert found[1] == "affiliate" and not found[2]


def test_two_checked_tax_ids_veto_everything_else() -> None:
    both = {"name": "Nordhelle Pumpen GmbH", "domain": "n.de", "street": "Hauptstr. 5", "postal_code": "89073"}
    assert zone({**both, "tax_id": "DE136695976"}, {**both, "tax_id": "DE 811907980"})[1:] == ("tax_id", False)
    assert zone({**both, "tax_id": "DE136695976"}, {**both, "tax_id": "136695976"})[2]


def test_an_external_id_alone_is_not_believed() -> None:
    assert not zone({"name": "Nordhelle", "external_customer_id": "r1"}, {"name": "Sauerland Stahl"})[2]
    assert zone(
        {"name": "Nordhelle", "external_customer_id": "r1", "domain": "n.de", "city": "Ulm", "postal_code": "89073"},
        {"name": "Nordhelle Pumpen Nord", "domain": "n.de", "city": "Ulm", "postal_code": "89073"},
    )[2]


def test_an_external_id_means_nothing_in_another_unit() -> None:
    told = [
        {"connection": "other", "customer_id": "a", "role": "crm", "name": "Nordhelle", "external_customer_id": "b"},
        {"connection": "erp", "customer_id": "b", "role": "erp", "name": "Nordhelle"},
    ]
    records = identity_records.read([{**dict.fromkeys(identity_records.FIELDS), **row} for row in told], UNITS)
    assert records.claims.tolist() == [-1, -1]


def test_a_golden_customer_may_span_units() -> None:
    told = [
        {"connection": "other", "customer_id": "a", "role": "erp", "name": "Nordhelle Pumpen", "country_code": "DE"},
        {"connection": "erp", "customer_id": "b", "role": "erp", "name": "Nordhelle Pumpen", "country_code": "DE"},
    ]
    assert len(set(judge.matched(told, UNITS)[3])) == 1


def test_two_candidates_that_look_alike_are_a_question() -> None:
    one = {"name": "Nordhelle Pumpen"}
    found = zone(one, {**one, "tax_id": "DE136695976"}, {**one, "tax_id": "DE811907980"})
    assert found[0] == "review" and not found[2]


def test_a_duplicate_that_is_proved_joins_and_one_that_is_not_does_not() -> None:
    one = {"name": "Nordhelle Pumpen", "city": "Ulm"}
    assert zone(one, one, one)[2]


def test_relatives_are_reviewed_whatever_they_share() -> None:
    place = {
        "domain": "n.de",
        "street": "Hauptstr. 5",
        "postal_code": "89073",
        "phone": "030 1234567",
        "tax_id": "DE136695976",
    }
    assert zone({"name": "Nordhelle Pumpen", **place}, {"name": "Nordhelle Verwaltung", **place}) == (
        "review",
        "relative",
        False,
    )


def test_a_person_is_no_organisation() -> None:
    found = zone(
        {"name": "Nordhelle Pumpen", "domain": "n.de"},
        {"name": "Nordhelle Pumpen", "domain": "n.de", "is_person": True},
    )
    assert not found[2]


def test_short_initials_prove_nothing() -> None:
    assert not zone({"name": "PM"}, {"name": "PM"})[2]


def test_names_prove_less_where_namesakes_are_common() -> None:
    """The same two records, among companies whose names are borne twice, with other tax ids in other cities."""
    pair = [
        {"connection": c, "customer_id": "x", "role": c, "name": "Nordhelle Pumpen", "country_code": "DE", "city": city}
        for c, city in (("crm", "Ulm"), ("erp", "Jena"))
    ]
    namesakes = [
        {
            "connection": c,
            "customer_id": str(n),
            "role": c,
            "name": f"Qu{n:03}rz Xo{n:03}p",
            "country_code": "DE",
            "city": city,
            "domain": f"{c}{n}.de",
        }
        for n in range(30)
        for c, city in (("crm", "Ulm"), ("erp", "Jena"))
    ]
    apart = [{**row, "name": row["name"] + row["connection"]} for row in namesakes]
    for others, same in ((apart, True), (namesakes, False)):
        records, _, _, cluster = judge.matched([*pair, *others], UNITS)
        one, two = np.flatnonzero(records.id == "x")
        assert (cluster[one] == cluster[two]) == same


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("seed", [101, 102])
def test_unseen_companies_of_the_simulator(seed: int, level: int) -> None:
    rows, units, truth = simulated.company(seed, "1k", level)
    found = judge.judge(rows, units, truth)
    assert found.true > 100
    assert found.precision >= 0.999, found.false[:5]
    assert found.f1 >= (0.99, 0.985, 0.955)[level - 1], found  # 150 pairs: one miss is 0.003; see docs/identity.md
    assert found.review < found.records / 10


def test_companies_of_another_kind() -> None:
    """Harder data with other habits: honest figures stand in docs/identity.md, here is what must not get worse."""
    made = register.Register(101, 1500)
    found = judge.judge(made.rows, made.units, made.truth)
    assert found.true > 800
    assert found.precision >= 0.99, found.false[:5]
    assert found.recall >= 0.80, found.recall


def test_the_judge_can_fail() -> None:
    """Weights that believe every host and initial are found out."""
    rows, units, truth = simulated.company(101, "1k", 3)
    loose = identity_score.weights(
        (a, level, 20.0 if (a, level) in {("name", "family"), ("site", "same_shared"), ("country", "same")} else weight)
        for a, level, weight in judge.rows()
    )
    assert judge.judge(rows, units, truth, loose).precision < 0.99


def test_large_blocks_are_narrowed_and_told() -> None:
    told = [
        {
            **dict.fromkeys(identity_records.FIELDS),
            "connection": "crm",
            "customer_id": str(n),
            "role": "crm",
            "name": "Same Name",
            "country_code": "DE",
            "city": "Ulm",
            "domain": "one.de",
        }
        for n in range(300)
    ]
    found = identity_blocks.make(identity_records.read(told, UNITS))
    assert {one.kind for one in found.narrowed} >= {"site", "name"}
    assert {one.kind for one in found.skipped} >= {"site", "name"} and all(one.records == 300 for one in found.skipped)


def test_pairs_of_changed_records_are_those_of_everything() -> None:
    rows, units, _ = simulated.company(103, "1k", 3)
    records = identity_records.read([{**dict.fromkeys(identity_records.FIELDS), **row} for row in rows], units)
    blocks = identity_blocks.make(records)
    left, right = identity_blocks.pairs(blocks)
    changed = np.array([random.Random(at).random() < 0.1 for at in range(len(records))])
    some = set(zip(*(x.tolist() for x in identity_blocks.pairs(blocks, changed)), strict=True))
    assert some == {(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True) if changed[a] or changed[b]}
    assert 0 < len(some) < len(left)


def test_weights_are_checked() -> None:
    rows = judge.rows()
    with pytest.raises(ConfigError, match="name.close"):
        identity_score.weights(row for row in rows if row[:2] != ("name", "close"))
    with pytest.raises(ConfigError, match="tax_id.same_size"):
        identity_score.weights([*rows, ("tax_id", "same_size", 1.0)])
    with pytest.raises(ConfigError, match="margin above review"):
        identity_score.weights((a, level, 50.0 if level == "margin" else w) for a, level, w in rows)
