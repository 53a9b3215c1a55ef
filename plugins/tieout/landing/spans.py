"""Where the records of a JSON page are, found without decoding them: for pages that hold an unreadable record."""

from __future__ import annotations

import json

_DECODER = json.JSONDecoder()
_BLANK = " \t\n\r"


def record_spans(body: bytes, path: str) -> list[bytes]:
    """The text of each element of the list under `path` (dotted; "" = the body is the list).

    Lenient about characters, strict about structure. Raises ValueError for a cut or malformed page, KeyError where the
    path leads nowhere.
    """
    text = body.decode("utf-8", "surrogateescape")
    position = _skip(text, 0)
    for step in path.split(".") if path else []:
        position = _enter(text, position, step)
    spans = []
    if text[position : position + 1] != "[":
        raise ValueError("not a list")
    position = _skip(text, position + 1)
    while text[position : position + 1] != "]":
        _, end = _DECODER.raw_decode(text, position)
        spans.append(text[position:end].encode("utf-8", "surrogateescape"))
        position = _after_comma(text, end, "]")
    json.loads(text)  # what follows the list must be whole, too
    return spans


def _enter(text: str, position: int, wanted: str) -> int:
    """The position of the value of key `wanted` in the object at `position`."""
    if text[position : position + 1] != "{":
        raise ValueError("not an object")
    position = _skip(text, position + 1)
    while text[position : position + 1] != "}":
        name, position = _DECODER.raw_decode(text, position)
        position = _skip(text, position)
        if text[position : position + 1] != ":":
            raise ValueError("no colon after a name")
        position = _skip(text, position + 1)
        if name == wanted:
            return position
        _, position = _DECODER.raw_decode(text, position)
        position = _after_comma(text, position, "}")
    raise KeyError(wanted)


def _after_comma(text: str, position: int, closing: str) -> int:
    position = _skip(text, position)
    if text[position : position + 1] == ",":
        return _skip(text, position + 1)
    if text[position : position + 1] != closing:
        raise ValueError("cut in half")
    return position


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANK:
        position += 1
    return position
