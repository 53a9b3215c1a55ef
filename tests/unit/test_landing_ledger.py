"""Conservation: what was received is landed, unchanged, replayed or quarantined; else nothing is committed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tieout.errors import LandingError
from tieout.landing.ledger import Totals


def test_totals_that_add_up() -> None:
    totals = Totals(("amount",))
    totals.add("received", 3, {"amount": Decimal("10.10")})
    totals.add("landed", 2, {"amount": Decimal("7.00")})
    totals.add("unchanged", 1, {"amount": Decimal("3.10")})
    totals.verify("c.s")
    assert totals.as_json() == {
        "amount": {"received": "10.1", "landed": "7", "unchanged": "3.1", "replayed": "0", "quarantined": "0"}
    }


@pytest.mark.parametrize(("rows", "amount", "what"), [(1, "10.10", "rows"), (2, "10.09", "amount")])
def test_a_lost_row_or_cent_refuses_the_batch(rows: int, amount: str, what: str) -> None:
    totals = Totals(("amount",))
    totals.add("received", 2, {"amount": Decimal("10.10")})
    totals.add("landed", rows, {"amount": Decimal(amount)})
    with pytest.raises(LandingError, match=f"c.s: {what} do not add up"):
        totals.verify("c.s")
