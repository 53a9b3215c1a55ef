"""Files in, files out: exact amounts, refused rows, rules files read strictly, the command with its exit codes."""

from __future__ import annotations

import csv
import json
import logging
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout import cli
from tieout.errors import ConfigError
from tieout.matching import decided, guess, money, reading
from tieout.matching.rules import Rules, load

ROOT = Path(__file__).resolve().parents[2]
LEFT = (
    "id,date,amount,currency,party,text\np1,2025-02-01,100.00,EUR,Acme,INV-1001\np2,2025-02-02,55.10,EUR,Bolt,thanks\n"
)
RIGHT = "id,date,amount,currency,party,reference\n"
RIGHT += "i1,2025-01-10,100.00,EUR,Acme,INV-1001\ni2,2025-01-12,55.10,EUR,Bolt,INV-1002\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        return tmp_path

    yield write
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


def loaded(path: Path, side: dict, **rules):
    chosen = Rules.model_validate({"left": side, **rules})
    return reading.load_side(path, chosen.left, chosen, "left")


# --- money ---


def test_minor_units_are_those_of_the_warehouse():
    with (ROOT / "dbt_project" / "seeds" / "iso_currencies.csv").open(encoding="utf-8", newline="") as file:
        seed = {row["currency_code"]: int(row["minor_units"]) for row in csv.DictReader(file)}
    assert len(seed) > 150
    assert {code: money.units(code) for code in seed} == seed


@settings(deadline=None)  # the first call imports pandas
@given(st.decimals(-(10**9), 10**9, places=3), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_amounts_are_exact_or_refused(amount, currency):
    places = np.array([money.units(currency)])
    value, faults = money.minor_units(pa.array([str(amount)]), places)
    scaled = amount.scaleb(money.units(currency))
    assert bool(faults) == (scaled != scaled.to_integral_value())
    assert faults or (value[0] == scaled and money.from_minor(value[0], currency) == amount)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "minor"),
    [
        ("1.234,56", ",", ".", 123456),
        ("(1,234.50)", ".", ",", -123450),
        ("12.5-", ".", "", -1250),
        ("7 DR", ".", "", -700),
        ("1 234,00", ",", " ", 123400),
        ("\u22125", ".", "", -500),
        ("+3.10", ".", "", 310),
        ("1'000", ".", "'", 100000),
        (".5", ".", "", 50),
        ("1e2", ".", "", 10000),
        ("0.1000000000000000000000", ".", "", 10),
    ],
)
def test_ways_to_write_a_number(text, decimal, thousands, minor):
    value, faults = money.minor_units(money.cleaned(pa.array([text]), decimal, thousands), np.array([2]))
    assert (value[0], faults) == (minor, {})


@pytest.mark.parametrize("text", ["", "N/A", "1.2.3", "10.001", "99999999999999999", "nan", "1e99", "--5", "0x10"])
def test_what_is_no_amount_is_refused(text):
    assert 0 in money.minor_units(money.cleaned(pa.array([text]), ".", ""), np.array([2]))[1]


# --- reading ---

SIDE = {"columns": {"id": "id", "date": "d", "amount": "a", "currency": "c"}}


def test_every_row_is_an_item_a_replay_or_refused(place):
    text = "id,d,a,c\n1,2025-01-01,5,EUR\n1,2025-01-01,5,EUR\n2,31.01.2025,5,EUR\n3,2025-01-01,x,EUR\n"
    text += "4,2025-01-01,5,Euro\n"
    text += ",2025-01-01,5,EUR\n6,2025-01-01,5,EUR\n6,2025-01-01,7,EUR\n7,2025-01-01,5.5,JPY\n8,,5,EUR\n"
    found = loaded(place(a_csv=text) / "a.csv", SIDE)
    assert (found.received, found.items.ids.to_pylist(), found.replays) == (10, ["1", "8"], (("1", "replay"),))
    assert {each.line: each.reason.partition(":")[0] for each in found.refused} == {
        3: "date",
        4: "amount",
        5: "currency",
        6: "id",
        7: "id",
        8: "id",
        9: "amount",
    }
    assert found.refused[1].record == {"id": "3", "d": "2025-01-01", "a": "x", "c": "EUR"}


def test_json_numbers_keep_their_digits(place):
    lines = (
        '{"id": 1, "d": "2025-01-01T23:59:00Z", "a": 9007199254740.93, "c": "EUR"}\n{"id": 2, "a": 0.1, "c": "EUR"}\n'
    )
    found = loaded(place(a_jsonl=lines) / "a.jsonl", SIDE)
    assert found.items.amount.tolist() == [900719925474093, 10]
    assert found.items.day.tolist()[0] == 20089


def test_parquet_decimals_and_dates(place):
    import datetime

    import pyarrow.parquet as pq

    path = place() / "a.parquet"
    table = {
        "id": [1, 2],
        "d": [datetime.date(2025, 1, 1)] * 2,
        "a": pa.array([Decimal("5.10"), Decimal("-2.00")]),
        "c": pa.array(["EUR", "EUR"]).dictionary_encode(),
    }
    pq.write_table(pa.table(table), path)
    assert loaded(path, SIDE).items.amount.tolist() == [510, -200]


def test_debit_credit_sign_and_dialect(place):
    text = "bank of X\nid;d;soll;haben\n1;31.01.2025;1.000,50;\n2;01.02.25;;20\n3;31.01.2025;;\n"
    side = {
        "columns": {"id": "id", "date": "d", "debit": "soll", "credit": "haben"},
        "sign": "reversed",
        "format": {"delimiter": ";", "skip": 1, "decimal": ",", "thousands": ".", "date": ["%d.%m.%Y", "%d.%m.%y"]},
    }
    found = loaded(place(a_csv=text) / "a.csv", side, currency="EUR")
    assert found.items.amount.tolist() == [-100050, 2000] and [each.line for each in found.refused] == [3]


def test_a_column_that_is_not_there(place):
    with pytest.raises(ConfigError, match=r"no column 'd'.*left.columns") as raised:
        loaded(place(a_csv="id,a,c\n1,2,EUR\n") / "a.csv", SIDE)
    assert "'id', 'a', 'c'" in str(raised.value)


def test_rules_name_file_line_and_key(place):
    path = place(r_yml="version: 1\nscored:\n  confirm: 6\n  margn: 2\n") / "r.yml"
    with pytest.raises(ConfigError, match=r"r\.yml:4: scored\.margn"):
        load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decision,left_id,right_id,by,why\nmatch,p1,,A,because\n", ":2: match needs"),
        ("decision,left_id,right_id,by,why\nmatch,p1,i1,,because\n", ":2: by is empty"),
        ("decision,left_id,right_id,by,why\nmaybe,p1,i1,A,because\n", ":2: decision 'maybe'"),
        ("decision,left_id,right_id,by,why\nmatch,p,i,A,x\nnever,p,i,A,x\n", "both match and never"),
        ("decision,left,right_id,by,why\n", "unknown column 'left'"),
    ],
)
def test_decisions_are_read_strictly(place, text, said):
    with pytest.raises(ConfigError, match=said):
        decided.decisions(place(d_csv=text) / "d.csv")


def test_guesses(place):
    text = "Buchungstag;Betrag;Währung;Kunde;Verwendungszweck;Nr\n"
    text += "31.01.2025;1.234,50;EUR;Acme;RG 1;a\n01.02.2025;-3,00;EUR;B;x;b\n"
    (place() / "k.csv").write_text(text, encoding="cp1252")
    side = guess.guess_side(Path("k.csv"))
    assert side.columns.model_dump(exclude_none=True, exclude_defaults=True) == {
        "id": "Nr",
        "date": "Buchungstag",
        "amount": "Betrag",
        "currency": "Währung",
        "party": "Kunde",
        "text": ("Verwendungszweck",),
    }
    assert (side.format.delimiter, side.format.decimal, side.format.encoding) == (";", ",", "cp1252")


# --- the command ---


def test_all_matched_is_zero_and_writes_everything(place, capfd):
    place(l_csv=LEFT, r_csv=RIGHT, rules_yml="version: 1\n")
    assert cli.main(["match", "--left", "l.csv", "--right", "r.csv", "--rules", "rules.yml", "--out", "o"]) == 0
    assert {path.name for path in Path("o").iterdir()} == {
        "matches.csv",
        "members.csv",
        "breaks.csv",
        "scoped.csv",
        "quarantine.csv",
        "summary.json",
    }
    with Path("o/matches.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["pass"], row["left_amount"], row["difference"]) for row in rows} == {
        ("keys", "100.00", "0.00"),
        ("scored", "55.10", "0.00"),
    }
    assert "where every row is" in capfd.readouterr().out


def test_breaks_are_one_and_materiality_forgives(place, capfd):
    place(
        l_csv=LEFT + "p3,2025-02-02,0.40,EUR,Cord,\n",
        r_csv=RIGHT,
        rules_yml="version: 1\n",
        m_yml="version: 1\nmateriality: 0.40\n",
    )
    command = ["match", "--left", "l.csv", "--right", "r.csv", "--json", "--out", "o", "--rules"]
    assert cli.main([*command, "rules.yml"]) == 1
    summary = json.loads(capfd.readouterr().out)
    assert summary["rows"]["left"] == {"received": 3, "matched": 2, "broken": 1, "scoped": 0, "quarantined": 0}
    assert summary["gap"] == {"EUR": "0.40"} and summary["left_over"] == {"count": 1, "amount": {"EUR": "0.40"}}
    assert cli.main([*command, "m.yml"]) == 0


def test_a_dry_run_shows_what_each_rule_takes_and_writes_nothing(place, capfd):
    place(l_csv=LEFT, r_csv=RIGHT)
    assert cli.main(["match", "--left", "l.csv", "--right", "r.csv", "--dry-run", "--out", "o"]) == 0
    shown = capfd.readouterr().out
    assert "p1 100.00 = i1 100.00" in shown and not Path("o").exists()


def test_labels_are_scored(place, capfd):
    place(
        l_csv=LEFT,
        r_csv=RIGHT,
        t_csv="left_id,right_id,reason\np1,i1,\np2,i1,\n,i2,B3\n",
        u_csv="left_id,right_id\nx,y\n",
    )
    command = ["match", "--left", "l.csv", "--right", "r.csv", "--json", "--truth"]
    assert cli.main([*command, "t.csv"]) == 0
    score = json.loads(capfd.readouterr().out)["score"]
    assert (score["precision"], score["recall"], score["false_auto"], score["confirmed"]) == (0.5, 0.5, 1, 2)
    assert score["false_auto_amount"] == {"EUR": "55.10"} and score["reasons"] == {"B3": {"none": 1}}
    assert cli.main([*command, "u.csv"]) == 2  # labels of other files


def test_init_writes_rules_that_load_and_keeps_what_is_there(place, capfd):
    place(l_csv=LEFT, r_csv=RIGHT)
    assert cli.main(["match", "--left", "l.csv", "--right", "r.csv", "--init"]) == 0
    rules = load(Path("rules.yml"))
    assert rules.left.columns.text == ("text",) and rules.right.columns.reference == ("reference",)
    assert cli.main(["match", "--left", "l.csv", "--right", "r.csv", "--init"]) == 2
    assert "exists already" in capfd.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--left", "l.csv"],
        ["--left", "no.csv", "--right", "r.csv"],
        ["--left", "l.csv", "--right", "r.csv", "--rules", "no.yml"],
        ["--left", "l.csv", "--right", "r.csv", "--decisions", "no.csv"],
    ],
)
def test_wrong_use_is_two(place, wrong, capfd):
    place(l_csv=LEFT, r_csv=RIGHT)
    assert cli.main(["match", *wrong]) == 2
