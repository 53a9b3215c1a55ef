"""What the Bulk API 2.0 answers, read with suspicion: a job, and a page of CSV.

Source: Bulk API 2.0 Developer Guide (Get Information About a Query Job, Get Results for a Query Job).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec

from tieout.extract.http import Answer, Damaged, decode


class Job(msgspec.Struct, rename="camel"):
    """A query job, as creation, polls and the list of jobs tell it."""

    id: str
    state: str
    object: str = ""
    operation: str = ""
    created_by_id: str = ""
    created_date: str = ""
    error_message: str | None = None
    number_records_processed: int | None = None
    retries: int = 0


def job_of(answer: Answer) -> Job:
    """The job that an answer tells of."""
    return decode(answer.body, Job)


def page_of(answer: Answer, columns: AbstractSet[str]) -> tuple[bytes, int, str]:
    """Body, number of rows, and the next locator.

    Damaged where the answer does not say how many rows it holds or holds another number, where its last row is not
    ended, and where its columns are not `columns` (in lower case): it is cut, or another statement's.
    """
    announced = answer.headers.get("sforce-numberofrecords", "")
    if not announced.isdigit():
        raise Damaged("the answer does not say how many rows it holds")
    rows = count_rows(answer.body)
    if int(announced) != rows:
        raise Damaged(f"{rows} of {announced} rows")
    if rows and not answer.body.endswith(b"\n"):
        raise Damaged("the last row is cut")
    header = answer.body.partition(b"\n")[0].decode("utf-8", "replace").strip().lower()
    if header and {word.strip('"') for word in header.split(",")} != columns:
        raise Damaged(f"other columns than were asked for: {header[:100]}")
    return answer.body, rows, answer.headers.get("sforce-locator", "").strip()


def count_rows(body: bytes) -> int:
    """Rows of a CSV below its header. Values may be quoted, with quotes in them doubled, and hold line breaks.

    Damaged for a body that ends inside a value.
    """
    import numpy as np

    if not body.strip():
        return 0
    letters = np.frombuffer(body, np.uint8)
    inside = np.bitwise_xor.accumulate(letters == ord('"'))  # a doubled quote leaves the value and enters it again
    if inside[-1]:
        raise Damaged("the CSV ends inside a value")
    lines = int(np.count_nonzero((letters == ord("\n")) & ~inside)) + (not body.endswith(b"\n"))
    return max(0, lines - 1)
