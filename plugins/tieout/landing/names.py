"""Names that strangers chose: shown so that nothing hides in them, and compared as a reader's eye compares them."""

from __future__ import annotations

import unicodedata

LONGEST = 200
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, zero-width, overrides, halves, separators
_EXOTIC_SPACES = frozenset("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
# Cyrillic and Greek letters that a reader takes for Latin ones: the part of Unicode's confusables that field names meet
# (https://www.unicode.org/Public/security/latest/confusables.txt). Folding is for a hint only, never for matching data.
_ALIKE = str.maketrans(
    "авекмнорстухіјѕԁһӏԛԝɑαεικνορτυχϲɡɩ",
    "abekmhopctyxijsdhlqwaaeiknoptuxcgi")


def visible(text: str, longest: int = LONGEST) -> str:
    """The text with what the eye cannot see (controls, zero width, direction) as \\uXXXX, cut at `longest`."""
    if not text.isascii() or not text.isprintable():
        text = "".join(_escaped(one) if unicodedata.category(one) in _HIDDEN or one in _EXOTIC_SPACES else one
                       for one in text[: longest + 1])
    return text if len(text) <= longest else f"{text[:longest]}…"


def folded(name: str) -> str:
    """What a reader would call the same name: case, width, composition, invisible and look-alike letters folded."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(one for one in plain if unicodedata.category(one) not in _HIDDEN and not one.isspace())
    return seen.translate(_ALIKE)


def _escaped(one: str) -> str:
    code = ord(one)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
