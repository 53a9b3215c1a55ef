"""Fields of a record that its program tells beside it, where the stream declares a column for them.

$deleted: the record says that it is deleted. $digest: what the record says, as a key where it has none; the second of
two equal records of a run is another one. $extracted_at: when the program read it.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import msgspec

from tieout.errors import ConfigError
from tieout.spec import Stream

MARKS = ("$deleted", "$digest", "$extracted_at")
_DECODER = msgspec.json.Decoder(float_hook=str)


class Marks:
    """Marks the records of one stream. deleted_by: the record's field that is not null, or not false, once it is gone.

    noise: fields that are the program's own and differ each time.
    """

    def __init__(self, stream: Stream, where: str, deleted_by: str | None, noise: tuple[str, ...] = ()) -> None:
        named = [column.field for column in stream.columns if column.field.startswith("$")]
        if unknown := [name for name in named if name not in MARKS]:
            raise ConfigError(f"{where}: no field {', '.join(unknown)}", hint=f"known: {', '.join(MARKS)}")
        self._named, self._deleted_by, self._noise = named, deleted_by, noise
        self._seen: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._named)

    def on(self, record: bytes, extracted_at: str | None = None) -> bytes:
        """The record with what is declared of it."""
        told = _DECODER.decode(record)
        marks: dict[str, object] = {}
        if "$deleted" in self._named:
            marks["$deleted"] = told.get(self._deleted_by) not in (None, False) if self._deleted_by else False
        if "$digest" in self._named:
            marks["$digest"] = self._digest(told)
        if "$extracted_at" in self._named:
            marks["$extracted_at"] = extracted_at
        text = msgspec.json.encode(marks)
        return text if not told else record.rstrip()[:-1].rstrip() + b"," + text[1:]

    def _digest(self, told: dict[str, object]) -> str:
        for name in self._noise:
            told.pop(name, None)
        digest = blake2b(msgspec.json.encode(told, order="sorted"), digest_size=16).hexdigest()
        self._seen[digest] += 1
        return digest if self._seen[digest] == 1 else f"{digest}-{self._seen[digest]}"
