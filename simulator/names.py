"""Company names and addresses, how two systems spell them differently, and when they still agree."""

from __future__ import annotations

import random
import re
import unicodedata

_HEADS = ("Nor", "Val", "Kel", "Bran", "Tor", "Mar", "Sil", "Ost", "Hal", "Ver", "Cal", "Dun", "Fal", "Gar", "Lin",
          "Pel", "Quin", "Ros", "Stan", "Tal", "Ulm", "Wex", "Yar", "Zen", "Ald", "Bel", "Cor", "Del", "Eld", "Fen",
          "Gil", "Har", "Ing", "Jor", "Kan", "Lam", "Mel", "Nev", "Orm", "Pax")
_MIDDLES = ("va", "do", "ri", "le", "mo", "sta", "ber", "ten", "go", "li", "ne", "ra", "si", "to", "ve", "wi", "ka",
            "mi", "no", "pe", "qui", "ru", "sa", "tu", "by")
_TAILS = ("tek", "lin", "mark", "field", "dale", "son", "wick", "port", "gate", "ham", "ford", "dex", "nova", "ric",
          "stad", "by", "berg", "mont", "land", "well", "combe", "lane", "row", "brook", "shaw")
NOUNS = ("Logistics", "Systems", "Foods", "Energy", "Textiles", "Pharma", "Optics", "Robotics", "Packaging", "Motors",
         "Chemicals", "Software", "Media", "Marine", "Aviation", "Furniture", "Instruments", "Ceramics", "Retail",
         "Water", "Steel", "Paper", "Timber", "Dental", "Diagnostics", "Rail", "Solar", "Tooling", "Storage", "Events")
FORMS = {
    "US": ("Inc", "LLC", "Corp", "Corporation"), "GB": ("Ltd", "Limited", "PLC"), "DE": ("GmbH", "AG", "KG"),
    "JP": ("KK", "Ltd"), "KW": ("WLL", "KSC"),
}
_ALL_FORMS = {form.lower() for forms in FORMS.values() for form in forms} | {"co", "incorporated", "gk", "company"}
_NOISE = (" (Head Office)", " - Main", " Group", " 2", " (old)")
COUNTRIES = {
    "US": "United States", "GB": "United Kingdom", "DE": "Germany", "JP": "Japan", "KW": "Kuwait",
}
_CITIES = {
    "US": (("Columbus", "OH", "432"), ("Austin", "TX", "787"), ("Denver", "CO", "802"), ("Portland", "OR", "972")),
    "GB": (("Leeds", "", "LS1 "), ("Bristol", "", "BS1 "), ("Reading", "", "RG1 ")),
    "DE": (("Kassel", "", "341"), ("Bremen", "", "281"), ("Ulm", "", "890")),
    "JP": (("Nagoya", "", "450-00"), ("Sendai", "", "980-00"), ("Osaka", "", "530-00")),
    "KW": (("Kuwait City", "", "130"), ("Hawalli", "", "320")),
}
_STREETS = {
    "US": "{n} {w} Street", "GB": "{n} {w} Road", "DE": "{w}straße {n}", "JP": "{n}-{m} {w}-cho",
    "KW": "Block {m}, Street {n}",
}
_STREET_WORDS = ("Mill", "Park", "Station", "Garten", "Hafen", "Linden", "River", "Canal", "Market", "Sakura",
                 "Harbour")


def stems(draw: random.Random):
    """Endless distinct invented words, in an order that the generator draws."""
    words = [h + m + t for h in _HEADS for m in _MIDDLES for t in _TAILS]
    draw.shuffle(words)
    yield from words
    for n in range(2, 10_000):
        for word in words:
            yield f"{word}{n}"


def normalised(name: str) -> str:
    """Lower case, no marks on letters, no punctuation, no legal form at the end, single blanks."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    words = re.sub(r"[^\w]+", " ", plain.replace(".", "").replace("'", "")).split()
    while len(words) > 1 and words[-1] in _ALL_FORMS:
        words.pop()
    return " ".join(words)


def spelled(draw: random.Random, name: str, country: str, level: int) -> str:
    """How a system writes `name`. Level 1 changes only what normalising undoes; 2 adds the usual noise; 3 more."""
    core, chance = name, draw.random()
    if chance < 0.30:
        core = f"{name} {draw.choice(FORMS[country])}"
    elif chance < 0.55:
        core = f"{name}, {draw.choice(FORMS[country])}."
    if draw.random() < 0.05:
        core = core.upper()
    if level == 1:
        return core
    more = 2 if level == 3 else 1
    chance = draw.random() / more
    if chance < 0.10:
        return _typo(draw, core)
    if chance < 0.15:
        return core[:max(6, len(name) - draw.randint(2, 5))]
    if chance < 0.19:
        return "".join(word[0] for word in name.split()).upper()
    if chance < 0.23:
        return core + draw.choice(_NOISE)
    if chance < 0.28:
        return core.replace("o", "ö", 1).replace("a", "á", 1)
    if chance < 0.29:
        return f"{draw.choice(_HEADS)}{draw.choice(_TAILS)} {draw.choice(NOUNS)}"
    return core


def _typo(draw: random.Random, text: str) -> str:
    at = draw.randrange(1, len(text) - 2)
    kind = draw.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2:]
    return text[:at] + text[at + 1:] if kind == 1 else text[:at] + text[at] + text[at:]


def address(draw: random.Random, country: str) -> dict[str, str]:
    """Street, city, state ('' outside the US), zip, country (two letters)."""
    city, state, start = draw.choice(_CITIES[country])
    street = _STREETS[country].format(n=draw.randint(1, 240), m=draw.randint(1, 9), w=draw.choice(_STREET_WORDS))
    tail = {"GB": f"{draw.randint(1, 9)}{draw.choice('ABDEFGH')}{draw.choice('JLNPQR')}"}.get(country)
    return {"street": street, "city": city, "state": state, "zip": start + (tail or f"{draw.randint(0, 99):02d}"),
            "country": country}


def tax_number(draw: random.Random, country: str) -> str:
    """A made-up registration number in the country's form."""
    digits = f"{draw.randrange(10**9):09d}"
    return {"US": f"{digits[:2]}-{digits[2:]}", "GB": f"GB{digits}", "DE": f"DE{digits}", "JP": f"T{digits}0001",
            "KW": f"KW{digits}"}[country]
