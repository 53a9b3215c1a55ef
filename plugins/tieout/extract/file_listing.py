"""A list as it is printed → a plain table: title lines, ruled lines, and a header that comes again on each page.

SAP's table browser and its reports save lists so: each record between two delimiters, blanks to the column's width.
"""

from __future__ import annotations

import re

from tieout.errors import SourceError
from tieout.extract.file_unpack import Plain
from tieout.spec_transports import Csv

_RULE = re.compile(rb"^[\s\-+=_]*$")


def unlisted(plain: Plain, csv: Csv) -> Plain:
    """The records and one header, without the outer delimiters. SourceError where no line is a record's.

    A line is a record's where a delimiter stands at its beginning; others are titles and rules. A column of marks has
    no name in such a header: it is named by its place, `$1`.
    """
    mark = csv.delimiter.encode()
    target = plain.path.with_name(f"{plain.path.name}-listed")
    header: bytes | None = None
    with plain.path.open("rb") as source, target.open("wb") as sink:
        for line in source:
            text = line.strip()
            if not text.startswith(mark) or _RULE.match(text.replace(mark, b"")):
                continue
            inner = text.removeprefix(mark).removesuffix(mark)
            if header is None:
                header = inner
                sink.write(_named(inner, mark) + b"\n")
            elif inner != header:
                sink.write(inner + b"\n")
    if header is None:
        raise SourceError(f"{plain.name}: no line begins with {csv.delimiter!r}",
                          hint="it is no printed list: take `listing` out of `csv`, or mend the delimiter")
    target.replace(plain.path)
    return plain


def _named(header: bytes, mark: bytes) -> bytes:
    names = [name.strip() for name in header.split(mark)]
    return mark.join(name or b"$%d" % place for place, name in enumerate(names, start=1))
