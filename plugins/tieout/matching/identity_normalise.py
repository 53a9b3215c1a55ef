"""What two systems spell differently, in one spelling: names, tax ids, hosts, phones, addresses.

Pure functions of one value, or of one value and its country; nothing here knows another record.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tieout.matching.identity_words import (
    CONNECTORS,
    FRONT_FORMS,
    MAIL_HOSTS,
    REMARKS,
    SCRIPT_FORMS,
    STREET_WORDS,
    WHOLE,
    legal_forms,
)

_INSIDE = re.compile(r"[.'’`´]")
_OTHER = re.compile(r"[^0-9a-z]+")
_SLASHED = re.compile(r"\b([a-z])/([a-z])\b")
# What follows is another name, not more of this one.
_ALSO = re.compile(
    r"(?<=\w\w\w) (?:ta|t a|trading as|dba|db a|d b a|doing business as|aka|fka|formerly|care of) (?=\w)"
)
_REMARK_ENDS = frozenset(words[-1] for words in REMARKS)
# Numbers that a country's register gives out with a check digit; python-stdnum's modules.
_REGISTERS = {
    "AU": ("abn", "acn"),
    "BR": ("cnpj",),
    "CA": ("bn",),
    "CH": ("vat", "uid"),
    "CN": ("uscc",),
    "DE": ("vat", "stnr"),
    "FR": ("tva", "siren", "siret"),
    "IN": ("gstin",),
    "JP": ("cn",),
    "KR": ("brn",),
    "MX": ("rfc",),
    "NO": ("mva", "orgnr"),
    "NZ": ("ird",),
    "SG": ("uen",),
    "TR": ("vkn",),
    "ZA": ("tin",),
    "SE": ("vat", "orgnr"),
    "DK": ("cvr",),
    "FI": ("alv", "ytunnus"),
}


@dataclass(frozen=True, slots=True)
class Name:
    """`key`: what is left of a name, words joined by blanks. `form`: its legal form in one spelling, '' for none."""

    key: str
    form: str
    initials: str


def plain(text: str) -> str:
    """Latin letters and digits in lower case, words joined by single blanks."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        for pattern, form in SCRIPT_FORMS:
            text = pattern.sub(form, text)
        text = _latin(text)
    text = _SLASHED.sub(r"\1\2", _INSIDE.sub("", text.lower()))
    return _OTHER.sub(" ", text).strip()


def _latin(text: str) -> str:
    from text_unidecode import unidecode

    return unidecode(text)


@lru_cache(maxsize=500_000)
def name(text: str | None, city: str | None = None) -> Name:
    """A company's name. Never empty for a text with a letter or digit in any script that has Latin letters.

    city: where the record is: behind a legal form it is a branch, no part of the name.
    """
    spelled = plain(text or "")
    trading = _ALSO.search(spelled)
    spelled = spelled[: trading.start()] if trading else spelled
    words = [WHOLE.get(word, word) for word in spelled.split() if word not in CONNECTORS] or spelled.split()
    form = ""
    if len(words) > 1 and words[0] in FRONT_FORMS:
        form = words.pop(0)
    words = _without_remarks(words)
    town = plain(city).split() if city else []
    if town and len(town) < len(words) and words[-len(town) :] == town and _without_form(words[: -len(town)])[1]:
        words = words[: -len(town)]
    words, ending = _without_form(words)
    words = _without_remarks(words)
    return Name(" ".join(words), ending or form, "".join(word[0] for word in words))


def _without_form(words: list[str]) -> tuple[list[str], str]:
    forms, found = legal_forms(), ""
    while len(words) > 1 and words[-1] in _last_words():
        size = next((n for n in (5, 4, 3, 2, 1) if n < len(words) and tuple(words[-n:]) in forms), 0)
        if not size:
            break
        found = forms[tuple(words[-size:])] + (f" {found}" if found else "")
        words = words[:-size]
    return words, found


def _without_remarks(words: list[str]) -> list[str]:
    while len(words) > 1 and words[-1] in _REMARK_ENDS:
        size = next((len(r) for r in REMARKS if len(r) < len(words) and tuple(words[-len(r) :]) == r), 0)
        if not size:
            break
        words = words[:-size]
    return words


@lru_cache(maxsize=1)
def _last_words() -> frozenset[str]:
    return frozenset(words[-1] for words in legal_forms())


@lru_cache(maxsize=500_000)
def tax_id(text: str | None, country: str) -> tuple[str, str]:
    """(number, register). The register is named only where the number's check digit stands; else ''."""
    number = re.sub(r"[^0-9A-Z]", "", (text or "").upper())
    if len(number) < 5 or len(set(number)) < 3:  # 000000000, N/A, none
        return "", ""
    for prefix in (country, {"GR": "EL", "JP": "T"}.get(country, country)):
        if prefix and number.startswith(prefix) and any(c.isdigit() for c in number[2:]):
            number = number[len(prefix) :]
            break
    return number, next((r for r in _REGISTERS.get(country, ("vat",)) if _checked(country, r, number)), "")


def _checked(country: str, register: str, number: str) -> bool:
    """Whether the register knows the number's form and its check digit stands: another last digit would not."""
    module = _register(country, register)
    if module is None or not module.is_valid(number):
        return False
    return not module.is_valid(number[:-1] + ("1" if number[-1] != "1" else "2"))


@lru_cache(maxsize=1000)
def _register(country: str, register: str) -> Any:
    from stdnum.util import get_cc_module

    return get_cc_module(country.lower(), register) if len(country) == 2 else None


@lru_cache(maxsize=500_000)
def site(domain: str | None, email: str | None) -> str:
    """The registrable domain of a web address, else of a mail address; '' where anybody may have one."""
    for told in (domain, (email or "").rpartition("@")[2]):
        host = re.sub(r"^[a-z]+://|^www\d?\.", "", (told or "").strip().lower())
        host = re.sub(r"^www\d?\.", "", re.split(r"[/:?#\s]", host)[0].rpartition("@")[2]).rstrip(".")
        found = _suffixes().privatesuffix(host) if "." in host else None
        if found and found not in MAIL_HOSTS and host not in MAIL_HOSTS:
            return found
    return ""


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def phone(text: str | None) -> str:
    """The last nine digits, which leave out how a country or a trunk is dialled; '' for fewer than seven."""
    digits = re.sub(r"\D", "", re.split(r"(?i)\s*(?:ext|x|durchwahl)\.?\s*\d", text or "")[0]).lstrip("0")
    return digits[-9:] if len(digits) >= 7 and len(set(digits)) > 2 else ""


def postcode(text: str | None, country: str) -> str:
    """Without blanks and marks; five digits in the United States."""
    code = re.sub(r"[^0-9A-Z]", "", (text or "").upper())
    return code[:5] if country == "US" else code


@lru_cache(maxsize=500_000)
def street(text: str | None) -> str:
    """Words of a street in their short forms, its number first."""
    words = [STREET_WORDS.get(word, re.sub(r"strasse$", "str", word)) for word in plain(text or "").split()]
    joined = " ".join(words).replace(" str", "str") if "str" in words else " ".join(words)
    numbers = [word for word in joined.split() if word[0].isdigit()]
    return " ".join([*numbers, *(word for word in joined.split() if not word[0].isdigit())])
