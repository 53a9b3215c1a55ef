"""Identity in the warehouse: scoring changes ends where scoring everything would; ids stay; decisions win."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity import judge, register, simulated
from tieout.errors import ConfigError
from tieout.matching import identity, identity_decisions, identity_explain, identity_records, products
from tieout.warehouse import connect

FIELDS = identity_records.FIELDS
TABLES = ("clustered", "golden", "compared", "evidenced", "affiliated", "events", "scored")
UNITS = {"crm": "one", "erp": "one"}
A, B, C = ("crm", "A"), ("erp", "1"), ("erp", "2")


@pytest.fixture
def books(warehouse: dict[str, str]) -> Iterator[Any]:
    """A table of customers where the view would be, the seed of weights, and nothing known. As the transformer."""
    with connect("transformer", autocommit=True) as found:
        found.execute("drop view if exists intermediate.int_customers__unioned cascade")
        columns = ", ".join(f"{name} {'boolean' if name == 'is_person' else 'text'}" for name in FIELDS)
        found.execute(f"create table intermediate.int_customers__unioned ({columns})")
        found.execute("drop table if exists intermediate.rec_identity_weights cascade")
        found.execute(
            "create table intermediate.rec_identity_weights (attribute text, level text, weight numeric(9, 3))"
        )
        for row in judge.rows():
            found.execute("insert into intermediate.rec_identity_weights values (%s, %s, %s)", row)
        _forget(found)
        yield found
        found.execute("drop table intermediate.int_customers__unioned, intermediate.rec_identity_weights")
        _forget(found)


def _forget(books: Any) -> None:
    books.execute(f"truncate {', '.join(f'intermediate.int_customers__{name}' for name in TABLES)}")
    with connect("owner", autocommit=True) as owner:
        owner.execute("truncate ops.identity_decision")


def put(books: Any, *rows: dict[str, Any]) -> None:
    for row in rows:
        key = (row["connection"], row["customer_id"])
        books.execute("delete from intermediate.int_customers__unioned where connection = %s and customer_id = %s", key)
        books.execute(
            f"insert into intermediate.int_customers__unioned values ({', '.join(['%s'] * len(FIELDS))})",
            [row.get(name) for name in FIELDS],
        )


def drop(books: Any, record: tuple[str, str]) -> None:
    books.execute("delete from intermediate.int_customers__unioned where connection = %s and customer_id = %s", record)


def clusters(books: Any) -> set[frozenset]:
    found: dict[str, set] = {}
    for connection, id_, key in books.execute(
        "select connection, customer_id, customer_key from intermediate.int_customers__clustered"
    ).fetchall():
        found.setdefault(key, set()).add((connection, id_))
    return {frozenset(members) for members in found.values()}


def state(books: Any) -> dict[str, Any]:
    """All that a scoring says but who said it when."""
    return {
        "clusters": clusters(books),
        "keys": books.execute(
            "select connection, customer_id, customer_key, method, score from"
            " intermediate.int_customers__clustered order by 1, 2"
        ).fetchall(),
        "pairs": books.execute(
            "select pair_key, score, margin, veto, zone, method from intermediate.int_customers__compared order by 1"
        ).fetchall(),
        "evidence": books.execute("select * from intermediate.int_customers__evidenced order by 1, 2").fetchall(),
        "affiliates": books.execute("select * from intermediate.int_customers__affiliated order by 1, 2").fetchall(),
    }


def decided(a: tuple[str, str], b: tuple[str, str], verdict: str) -> int | None:
    with connect("loader") as books:
        return identity_decisions.decide(books, a, b, verdict, "a test", "tester")


def keys(books: Any) -> dict[tuple[str, str], str]:
    return {
        (row[0], row[1]): row[2]
        for row in books.execute(
            "select connection, customer_id, customer_key from intermediate.int_customers__clustered"
        ).fetchall()
    }


def customer(record: tuple[str, str], **told: Any) -> dict[str, Any]:
    return {
        "connection": record[0],
        "customer_id": record[1],
        "role": record[0],
        "is_person": False,
        "country_code": "DE",
        "name": "Quarzwerke Nordhelle GmbH",
        **told,
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_scoring_changes_ends_where_scoring_everything_would(books: Any, seed: int) -> None:
    draw = random.Random(seed)
    if seed == 1:
        rows, units, _ = simulated.company(11, "1k", 3)
    else:
        made = register.Register(11, 250)
        rows, units = made.rows, made.units
    waiting, live = (
        list(rows[len(rows) // 2 :]),
        {(r["connection"], r["customer_id"]): r for r in rows[: len(rows) // 2]},
    )
    put(books, *live.values())
    compared = []
    for run_id in range(1, 7):
        done = identity.run(books, run_id, units)
        assert done is not None
        compared.append((done.changed, done.compared))
        partial = state(books)
        whole = identity.run(books, run_id, units, everything=True)
        assert whole is not None and whole.events == {}, f"seed {seed}, run {run_id}: {whole.events}"
        assert state(books) == partial, f"seed {seed}, run {run_id}"
        assert identity.run(books, run_id, units) is None, "nothing changed, and something was scored"
        for _ in range(20):
            kind, record = draw.randrange(4), draw.choice(sorted(live))
            if kind == 0 and waiting:
                row = waiting.pop()
                live[row["connection"], row["customer_id"]] = row
                put(books, row)
            elif kind == 1:
                drop(books, record)
                del live[record]
            elif kind == 2:
                other = draw.choice(sorted(live))
                decided(record, other, draw.choice(("SAME", "NOT SAME"))) if record[0] != other[
                    0
                ] and run_id == 3 else None
            else:
                changes = {draw.choice(("name", "tax_id", "city", "domain", "country_code")): draw.choice(rows)["name"]}
                live[record] = {**live[record], **changes}
                put(books, live[record])
    assert compared[-1][0] < len(live) and compared[-1][1] < compared[0][1], "every run scored everything"


def test_the_order_of_the_rows_changes_nothing(books: Any) -> None:
    rows, units, _ = simulated.company(12, "1k", 3)
    found = []
    for seed in (1, 2):
        books.execute("truncate intermediate.int_customers__unioned")
        _forget(books)
        put(books, *random.Random(seed).sample(rows, len(rows)))
        identity.run(books, 1, units)
        found.append(state(books))
    assert found[0] == found[1]


def test_a_golden_id_stays_when_a_name_moves_and_the_older_survives_a_merge(books: Any) -> None:
    put(books, customer(A, city="Ulm"))
    identity.run(books, 1, UNITS)
    old = keys(books)[A]
    put(books, customer(B, city="Ulm", name="Completely Other Kft", country_code="HU"))
    identity.run(books, 2, UNITS)
    other = keys(books)[B]
    put(books, customer(B, city="Ulm"))
    identity.run(books, 3, UNITS)
    assert keys(books) == {A: old, B: old}
    assert books.execute(
        "select event, customer_key, other_key from intermediate.int_customers__events where run_id = 3"
    ).fetchall() == [("merged", other, old)]
    put(books, customer(A, city="Ulm", name="Renamed Entirely SE"), customer(B, city="Ulm", name="Renamed Entirely SE"))
    identity.run(books, 4, UNITS)
    assert keys(books) == {A: old, B: old}


def test_a_split_says_so_and_the_first_record_keeps_the_id(books: Any) -> None:
    put(books, customer(A), customer(B))
    identity.run(books, 1, UNITS)
    old = keys(books)
    assert old[A] == old[B]
    put(books, customer(A, name="Something Else Altogether Ltd", country_code="GB"))
    identity.run(books, 2, UNITS)
    now = keys(books)
    assert now[B] == old[B] and now[A] != old[A]
    assert books.execute(
        "select event, customer_key, other_key from intermediate.int_customers__events where run_id = 2"
    ).fetchall() == [("split", now[A], old[A])]


def test_the_id_of_a_deleted_record_stays_with_the_others(books: Any) -> None:
    put(books, customer(A), customer(B))
    identity.run(books, 1, UNITS)
    old = keys(books)[A]
    drop(books, B)
    identity.run(books, 2, UNITS)
    assert keys(books) == {A: old}
    put(books, customer(B, name="Newcomer Holding Oy", country_code="FI"))
    identity.run(books, 3, UNITS)
    assert keys(books)[A] == old != keys(books)[B], "an id that lives was given out again"


def test_decisions_win_and_survive_reruns(books: Any) -> None:
    put(books, customer(A), customer(B), customer(C, name="Ganz Anders AG"))
    decided(A, B, "NOT SAME")
    decided(A, C, "SAME")
    for run_id, everything in ((1, False), (2, True)):
        identity.run(books, run_id, UNITS, everything=everything)
        found = keys(books)
        assert found[A] == found[C] != found[B]
    assert books.execute(
        "select method from intermediate.int_customers__clustered where customer_id = 'A'"
    ).fetchone() == ("decided",)
    decided(A, B, "REVOKED")
    decided(A, C, "REVOKED")
    identity.run(books, 3, UNITS)
    found = keys(books)
    assert found[A] == found[B] != found[C]


def test_decisions_are_append_only_and_contradictions_are_refused(books: Any) -> None:
    import psycopg

    put(books, customer(A), customer(B), customer(C))
    assert decided(A, B, "SAME") is not None
    assert decided(B, A, "SAME") is None, "the same decision twice"
    decided(B, C, "SAME")
    with pytest.raises(ConfigError, match="would be SAME"):
        decided(A, C, "NOT SAME")
    with pytest.raises(ConfigError, match="nothing was decided"):
        decided(A, C, "REVOKED")
    with connect("loader") as loader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        loader.execute("delete from ops.identity_decision")


def test_review_goes_out_and_comes_back_as_csv(books: Any, tmp_path: Path) -> None:
    put(books, customer(A, city="Ulm"), customer(B, city="Jena", domain="b.de"), customer(("erp", "3"), city="Gera"))
    identity.run(books, 1, UNITS)
    rows = identity_decisions.review(books)
    assert {row.zone for row in rows} == {"review"} and len(rows) >= 2
    path = tmp_path / "review.csv"
    assert identity_decisions.export(rows, path) == len(rows)
    text = path.read_text(encoding="utf-8-sig").splitlines()
    index = next(n for n, line in enumerate(text) if line.startswith("crm,A") and ",erp,1," in line)
    text[index] = text[index].rsplit(",", 2)[0] + ",SAME,seen on paper"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    with connect("loader") as loader:
        done = identity_decisions.take(loader, path, "tester")
    assert (done.decided, done.empty) == (1, len(rows) - 1)
    with connect("loader") as loader:
        assert identity_decisions.take(loader, path, "tester").unchanged == 1
    identity.run(books, 2, UNITS)
    assert keys(books)[A] == keys(books)[B]
    path.write_text("\n".join([text[0], text[index].replace("SAME", "PERHAPS")]) + "\n", encoding="utf-8")
    with connect("loader") as loader, pytest.raises(ConfigError, match=r"review.csv:2: no verdict 'PERHAPS'"):
        identity_decisions.take(loader, path, "tester")


def test_an_explanation_adds_up(books: Any) -> None:
    put(books, customer(A, city="Ulm", domain="https://www.quarz.de"), customer(B, city="Jena", email="ap@quarz.de"))
    identity.run(books, 1, UNITS)
    told = identity_explain.pair(books, UNITS, B, A)
    assert told.prior + sum(line.weight for line in told.lines) == pytest.approx(told.score)
    assert told.zone == "auto" and told.customers[0] == told.customers[1]
    stored = books.execute("select attribute, level from intermediate.int_customers__evidenced").fetchall()
    assert {(line.attribute, line.level) for line in told.lines} == set(stored)
    text = told.text()
    assert "Quarzwerke Nordhelle GmbH" in text and "one customer" in text and "ap@quarz.de" in text
    assert [member[1] for member in identity_explain.record(books, A).members] == ["A", "1"]
    with pytest.raises(ConfigError, match="no customer record"):
        identity_explain.pair(books, UNITS, A, ("erp", "none"))


def test_a_change_of_weights_scores_everything_anew(books: Any) -> None:
    put(books, customer(A), customer(B))
    identity.run(books, 1, UNITS)
    assert keys(books)[A] == keys(books)[B]
    books.execute("update intermediate.rec_identity_weights set weight = 1 where level = 'equal'")
    done = identity.run(books, 2, UNITS)
    assert done is not None and done.changed == 2
    assert keys(books)[A] != keys(books)[B]


def test_the_command_line_reviews_decides_explains_and_trains(
    books: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json
    from contextlib import nullcontext
    from types import SimpleNamespace

    from tieout import cli, cli_identity, show
    from tieout.settings import ROOT

    monkeypatch.setattr(cli_identity, "at_work", lambda json: nullcontext(show.console()))
    connections = {name: SimpleNamespace(name=name, unit="one") for name in ("crm", "erp")}
    here = SimpleNamespace(company=SimpleNamespace(connections=connections), dbt_project=ROOT / "dbt_project")
    monkeypatch.setattr(cli_identity, "settings", lambda: here)

    def told(*arguments: str) -> Any:
        assert cli.main(["identity", *arguments, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    rows, _, truth = simulated.company(21, "1k", 3)
    names = {"crm": "crm", "erp": "erp"}
    put(books, *({**row, "connection": names[row["role"]]} for row in rows))
    identity.run(books, 1, UNITS)
    waiting = told("review")
    assert waiting and {row["zone"] for row in waiting} == {"review"}
    a, b = (":".join(waiting[0][side]) for side in "ab")
    assert told("decide", a, b, "--not-same", "--reason", "two addresses", "--by", "ada")["decision_id"] > 0
    assert len(told("review")) == len(waiting) - 1
    assert told("explain", a, b)["verdict"] == "NOT SAME"
    assert told("explain", a)["cluster"]["customer_key"]
    assert told("export", str(tmp_path / "out.csv"), "--decided")["rows"] == len(waiting)
    done = told("import", str(tmp_path / "out.csv"))
    assert done == {"decided": 0, "unchanged": 1, "empty": len(waiting) - 1}
    assert any(row["after"] != row["before"] for row in told("train", "--out", str(tmp_path / "seed.csv")))
    assert (tmp_path / "seed.csv").read_text().splitlines()[0] == "attribute,level,weight,description"
    assert cli.main(["identity", "decide", a, "erp:nobody", "--same", "--reason", "x"]) == 2
    assert cli.main(["identity", "decide", a, b, "--same", "--not-same", "--reason", "x"]) == 2
    assert cli.main(["identity", "explain", "nonsense"]) == 2


@pytest.fixture
def catalogue(warehouse: dict[str, str]) -> Iterator[Any]:
    """A table of products where the view would be, and nothing known. As the transformer."""
    with connect("transformer", autocommit=True) as found:
        found.execute("drop view if exists intermediate.int_products__unioned cascade")
        columns = ", ".join(f"{name} text" for name in products.FIELDS)
        found.execute(f"create table intermediate.int_products__unioned ({columns})")
        _empty(found)
        yield found
        found.execute("drop table intermediate.int_products__unioned")
        _empty(found)


def _empty(found: Any) -> None:
    for name in ("clustered", "compared", "scored"):
        found.execute(f"delete from intermediate.int_products__{name}")
    with connect("owner", autocommit=True) as owner:
        owner.execute("truncate ops.identity_decision")


def test_products_are_compared_again_only_when_something_changed(catalogue: Any) -> None:
    rows = [("crm", "A", None, None, "Pump seal blue", "crm"), ("erp", "1", "P-1", None, "Seal, blue, pump", "erp"),
            ("erp", "2", "P-2", None, "Hose 250 ml", "erp")]  # fmt: skip
    for row in rows:
        catalogue.execute("insert into intermediate.int_products__unioned values (%s, %s, %s, %s, %s, %s)", row)
    first = products.run(catalogue, 1)
    assert first is not None and set(first.keys) == {("crm", "A")}
    assert products.run(catalogue, 2) is None
    again = products.run(catalogue, 3, everything=True)
    assert again is not None and again.keys == first.keys
    with connect("owner", autocommit=True) as owner:
        owner.execute(
            "insert into ops.identity_decision (entity, verdict, connection_a, record_id_a, connection_b, record_id_b,"
            " decided_by, reason) values ('product', 'NOT SAME', 'crm', 'A', 'erp', '1', 'tester', 'a test')"
        )
    parted = products.run(catalogue, 4)
    assert parted is not None and parted.keys == {}
    catalogue.execute("update intermediate.int_products__unioned set name = 'Pump seal red' where product_id = 'A'")
    assert products.run(catalogue, 5) is not None
    assert products.run(catalogue, 6) is None
