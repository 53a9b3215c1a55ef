"""A file behind a vendor's address, read in pieces: whole or not at all, also where the address ends on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tieout.extract.http import Answer, Call, Client, Damaged, Refused

PIECE = 16 * 1024 * 1024  # bytes that are asked for at once
_ENDED = frozenset({400, 401, 403, 404, 410})  # what storage says of an address that is over
_CHANGED = 412  # the file is another than the one that was begun
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def pieces(
    client: Client, about: str, url: str, renew: Callable[[str], str], failed: Callable[[Refused], Exception], *,
    tagged: bool = False,
) -> Iterator[bytes]:
    """The file in pieces. `renew` takes an address that ended and asks for another, once each time that it got further.

    failed: the error of a refusal that another address does not mend. tagged: all pieces must be of one version, as the
    file's tag tells it. The client asks without a token.
    """
    at, size, tag, renewed_at = 0, None, None, -1
    while size is None or at < size:
        try:
            piece, size, tag = _piece(client, about, url, at, size, tag if tagged else None)
        except Refused as refusal:
            over = refusal.status in _ENDED or (tagged and refusal.status == _CHANGED)
            if not over or renewed_at == at:
                raise failed(refusal) from None
            renewed_at, url = at, renew(url)
            continue
        at += len(piece)
        yield piece


def _piece(
    client: Client, about: str, url: str, at: int, size: int | None, tag: str | None
) -> tuple[bytes, int, str | None]:
    """(bytes from `at` on, size of the whole file, its tag)."""
    headers = {"range": f"bytes={at}-{at + PIECE - 1}", "accept-encoding": "identity"}
    call = Call("GET", url, about, headers=headers | ({"if-match": tag} if tag else {}), signed=False)

    def read(answer: Answer) -> tuple[bytes, int, str | None]:
        told = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if told is None:
            if answer.status == 206 or at:
                raise Damaged("the answer does not say which part of the file it is")
            length = answer.headers.get("content-length", "")
            if length.isdigit() and int(length) != len(answer.body):
                raise Damaged(f"{len(answer.body)} of {length} bytes")
            return answer.body, len(answer.body), None
        start, end, whole = int(told[1]), int(told[2]), int(told[3])
        if start != at or end - start + 1 != len(answer.body) or (size is not None and whole != size):
            raise Damaged(f"asked for bytes from {at} on, got {told[0]} in {len(answer.body)} bytes")
        return answer.body, whole, answer.headers.get("etag")

    return client.request(call, read)
