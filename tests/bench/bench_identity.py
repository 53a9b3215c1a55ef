"""Who is who among so many customers of a CRM and as many of an ERP, read from the warehouse and written to it.

`rows` / 10 customers on either side. Limits are the goals in seconds on two cores: 10,000 × 10,000 in 30 s, 100,000 ×
100,000 in 6 min, in proportion between.
    identity_whole      every record is scored
    identity_change     one record in a hundred has another name, domain or city
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.bench.bench_transform import warehouse
from tests.conftest import open_folder
from tests.identity import judge, simulated

SECONDS_PER_CUSTOMER = 360 / 100_000


def run(rows: int, progress: Callable[[str], Any] = print) -> list[dict[str, Any]]:
    """Both figures, in a warehouse of its own."""
    from tieout.matching import identity, identity_records
    from tieout.warehouse import connect

    count = max(rows // 10, 500)
    told, units, _ = simulated.company(5, "bench", 2, count=count)
    fields = identity_records.FIELDS
    with open_folder() as home, warehouse(home), connect("transformer", autocommit=True) as books:
        columns = ", ".join(f"{name} {'boolean' if name == 'is_person' else 'text'}" for name in fields)
        books.execute(f"create table intermediate.int_customers__unioned ({columns})")
        with books.cursor().copy("copy intermediate.int_customers__unioned from stdin") as into:
            for row in told:
                into.write_row([row.get(name) for name in fields])
        books.execute(
            "create table intermediate.rec_identity_weights (attribute text, level text, weight numeric(9, 3))")
        for row in judge.rows():
            books.execute("insert into intermediate.rec_identity_weights values (%s, %s, %s)", row)
        books.execute("analyze intermediate.int_customers__unioned")
        whole = identity.run(books, 1, units)
        books.execute("update intermediate.int_customers__unioned set city = 'Elsewhere', name = name || ' Nord'"
                      " where mod(hashtext(connection || customer_id), 100) = 0")
        change = identity.run(books, 2, units)
    assert whole is not None and change is not None
    progress(f"  {whole.records:,} records: {whole.compared:,} pairs, {whole.auto:,} auto, {whole.review:,} in review")
    progress(f"  then {change.changed:,} records scored again")
    limit = max(30.0, SECONDS_PER_CUSTOMER * count)
    return [
        {"name": "identity_whole", "value": whole.seconds, "unit": "s", "limit": limit, "ratio": whole.seconds / limit,
         "goal": "<= 1"},
        {"name": "identity_change", "value": change.seconds, "unit": "s", "limit": whole.seconds,
         "ratio": change.seconds / whole.seconds, "goal": "<= 0.3"},
    ]
