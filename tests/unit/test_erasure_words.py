"""What an erasure looks for: values that tell one person, in all spellings, and nothing beside them."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tieout.erasure import files
from tieout.erasure.words import Words, full_names, tells

MARK = "xerased"


@pytest.mark.parametrize("value", [
    "Anna Zimmermann", "a@b.example", "+49 30 5551234", "DE123456789", "www.zimmermann.example", "12 Main St",
    "Ängström Öl",
])
def test_a_value_that_tells_one_person_is_looked_for(value):
    assert tells(value)


@pytest.mark.parametrize("value", ["", "Anna", "Zimmermann", "10115", "123456789", "A 1", "5", "+1", "2026-01-31"])
def test_what_is_somebody_elses_too_is_not(value):
    """A number alone may be a document's, a word alone a town's."""
    assert not tells(value)


@pytest.mark.parametrize("value", ['Zoë "Z" O\'Neill & Söhne <KG>', "zora.q@quill-mail.example", "+49 (30) 555-1234"])
@pytest.mark.parametrize("spelled", [
    str, str.upper, str.lower, lambda v: json.dumps(v)[1:-1], lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    lambda v: json.dumps(json.dumps(v))[1:-1], html.escape, lambda v: html.escape(v, quote=False), quote, quote_plus,
    lambda v: v.replace(" ", "\n   "),
])
def test_every_spelling_is_found_in_files(value, spelled):
    if spelled is str.upper and "ß" in value:
        pytest.skip("no upper case")
    said = f"x=%2C{spelled(value)}&y=1"
    assert Words((value,), MARK).of(said).count(MARK) == 1 and spelled(value) not in Words((value,), MARK).of(said)


def test_json_stays_json_and_its_numbers_stay():
    words = Words(("DE123456789", 'O"Neill Zoë'), MARK)
    text = json.dumps({"a": 'of O"Neill Zoë', "b": 123456789, "c": "DE1234567890", "d": "de123456789."})
    assert json.loads(words.of_json(text)) == {
        "a": f"of {MARK}", "b": 123456789, "c": "DE1234567890", "d": f"{MARK}."}


def test_nothing_to_look_for_finds_nothing():
    assert not Words((), MARK) and Words((), MARK).of("anything") == "anything"


def test_the_longest_goes_first():
    assert Words(("Zora Quill", "Zora Quillfeather"), MARK).of("Zora Quillfeather, Zora Quill") == f"{MARK}, {MARK}"


def test_names_are_put_together_as_people_write_them():
    assert full_names([("Zora", "Quill"), (None, "X"), ("Y", "")]) == {"Zora Quill", "Quill Zora", "Quill, Zora"}


TABLE = {"key": ["1", "2", "3"], "name": ["Zora Quill", "Other", None], "town": ["Bad Town", "Bad Town", "Bad Town"],
         "postcode": ["10115", "10115", "10115"], "amount": ["10115.00", "1", "2"],
         "note": ["", "b, c", 'of "Zora Quill"']}
WORDS = Words(("Zora Quill",), MARK, frozenset({"Bad Town", "10115"}))


def test_what_stands_beside_goes_from_the_persons_rows_of_tables_alone(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(TABLE), path)
    assert files.hide_in(path, WORDS, apply=False) and pq.read_table(path).to_pydict() == TABLE
    assert files.hide_in(path, WORDS, apply=True) and not files.hide_in(path, WORDS, apply=False)
    found = pq.read_table(path).to_pydict()
    assert found["town"] == [MARK, "Bad Town", MARK] and found["postcode"] == [MARK, "10115", MARK]
    assert found["name"] == [MARK, "Other", None] and found["amount"] == TABLE["amount"]


def test_csv_loses_the_same_and_keeps_its_form(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'key,name,town,code,amount\r\n1,Zora Quill,"Bad Town",10115,10115.00\r\n'
                     b'2,Other,Bad Town,10115,1\r\n')
    assert files.hide_in(path, WORDS, apply=True) and not files.hide_in(path, WORDS, apply=False)
    assert path.read_bytes() == (f"key,name,town,code,amount\r\n1,{MARK},{MARK},{MARK},10115.00\r\n"
                                 "2,Other,Bad Town,10115,1\r\n").encode()


def test_a_log_stays_the_same_file_and_others_are_replaced_whole(tmp_path):
    for name, stays in (("a.log", True), ("a.html", False)):
        path = tmp_path / name
        path.write_text("by Zora  Quill in Bad Town")
        before = path.stat().st_ino
        assert files.hide_in(path, WORDS, apply=True) and (path.stat().st_ino == before) == stays
        assert path.read_text() == f"by {MARK} in Bad Town" and not [*tmp_path.glob(".*")]
