"""What two systems spell differently, in one spelling."""

from __future__ import annotations

import pytest

from tieout.matching import identity_normalise as normal


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Müller & Söhne G.m.b.H.", "MULLER UND SOHNE GMBH"),
        ("Acme Co., Ltd.", "ACME"),
        ("The Boeing Company", "Boeing"),
        ("Foo S.A. de C.V.", "foo sa de cv"),
        ("Bar Sp. z o.o.", "BAR"),
        ("Norsk A/S", "Norsk"),
        ("ООО Газпром", "Gazprom OOO"),
        ("株式会社トヨタ", "トヨタ株式会社"),
        ("トヨタ㈱", "トヨタ 株式会社"),
        ("Ｎｏｒｔｈ Ltd", "North"),
        ("Kappa (Head Office)", "Kappa - DO NOT USE"),
        ("Kappa Ltd t/a Bluewater", "Kappa Limited"),
        ("O'Neill Mfg", "ONEILL Manufacturing"),
        ("Société Générale SA", "Societe Generale"),
    ],
)
def test_names_that_are_one(one: str, two: str) -> None:
    assert normal.name(one).key == normal.name(two).key != ""


@pytest.mark.parametrize(
    ("one", "two"),
    [("AG Insurance", "Insurance"), ("Co", "Ltd"), ("Kappa Group", "Kappa Energy"), ("Limited", "Limited Edition")],
)
def test_names_that_are_two(one: str, two: str) -> None:
    assert normal.name(one).key != normal.name(two).key


def test_a_name_is_never_stripped_to_nothing() -> None:
    for text in ("Ltd", "The", "GmbH & Co. KG", "Main", "AB", "---x"):
        assert normal.name(text).key, text
    assert normal.name(None).key == normal.name("  ").key == normal.name("···").key == ""


def test_a_town_behind_a_legal_form_is_a_branch_and_before_it_a_name() -> None:
    assert normal.name("Kappa GmbH Ulm", "Ulm").key == "kappa"
    assert normal.name("Kappa Ulm GmbH", "Ulm").key == "kappa ulm"


def test_legal_forms_have_one_spelling() -> None:
    assert {normal.name(f"Kappa {form}").form for form in ("Ltd", "Limited", "L.T.D.")} == {"ltd"}
    assert normal.name("Kappa GmbH & Co. KG").form != normal.name("Kappa GmbH").form != ""


@pytest.mark.parametrize(
    ("text", "country", "number", "register"),
    [
        ("DE 136695976", "DE", "136695976", "vat"),
        ("136 695 976", "DE", "136695976", "vat"),
        ("DE123456789", "DE", "123456789", ""),  # its check digit is wrong
        ("GB980780684", "GB", "980780684", "vat"),
        ("12-3456789", "US", "123456789", ""),  # the register has no check digit: nothing is proved
        ("T7482543580381", "JP", "7482543580381", "cn"),
        ("EL094259216", "GR", "094259216", "vat"),
        ("n/a", "DE", "", ""),
        ("000000000", "DE", "", ""),
        (None, "", "", ""),
        ("KW123456", "KW", "123456", ""),  # a country without a validator
    ],
)
def test_tax_ids(text: str | None, country: str, number: str, register: str) -> None:
    assert normal.tax_id(text, country) == (number, register)


def test_hosts_are_registrable_and_not_everybodys() -> None:
    assert normal.site("https://shop.acme.co.uk/en", None) == "acme.co.uk"
    assert normal.site(None, "ap@rechnung.acme.de") == "acme.de"
    assert normal.site("gmail.com", "a@acme.de") == "acme.de"
    assert normal.site("facebook.com/acme", "acme@t-online.de") == ""
    assert normal.site("localhost", None) == normal.site("n/a", "nobody") == ""


def test_telephones_without_how_they_are_dialled() -> None:
    assert {normal.phone(t) for t in ("+49 (0)30 1234567", "0049301234567", "030/1234567 ext. 12")} == {"301234567"}
    assert normal.phone("0000000") == normal.phone("911") == ""


def test_streets_and_postcodes() -> None:
    assert normal.street("Mill Street 12") == normal.street("12 MILL ST.")
    assert normal.street("Millstraße 12") == normal.street("Mill Str. 12")
    assert normal.postcode("10001-1234", "US") == "10001" and normal.postcode("LS1 3ab", "GB") == "LS13AB"
