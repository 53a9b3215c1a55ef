"""The vendor's search syntax, as far as it is used: terms, AND, comparators, quotes. An unknown field is no error.

Source: shopify.dev, "Shopify API search syntax".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_TERM = re.compile(r"""(?P<minus>-)?(?:(?P<name>[a-z_]+):\s*)?(?P<sign>>=|<=|>|<)?(?P<value>'[^']*'|"[^"]*"|[^\s:]+)""")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?")

# {root: {field of the search: column}}
FIELDS = {
    "orders": {"updated_at": "updated_at", "created_at": "created_at", "processed_at": "processed_at", "id": "id",
               "test": "", "status": "", "name": "body", "financial_status": ""},
    "customers": {"updated_at": "updated_at", "customer_date": "created_at", "id": "id"},
    "products": {"updated_at": "updated_at", "created_at": "created_at", "id": "id"},
    "events": {"created_at": "created_at", "action": "", "subject_type": "subject_type", "id": "id", "comments": ""},
    "payouts": {"issued_at": "issued_at", "status": "status", "id": "id"},
    "balanceTransactions": {"payments_transfer_id": "payout", "processed_at": "processed_at", "id": "id",
                            "payout_status": ""},
}


@dataclass
class Search:
    """Conditions in SQL, and what is wrong with a query that is answered all the same."""

    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """All conditions."""
        return " AND ".join(self.where) or "1 = 1"


def parse(root: str, text: str | None) -> Search:
    """Read a search over a root's records."""
    found, known = Search(), FIELDS[root]
    for term in _TERM.finditer(text or ""):
        name, value = term["name"], term["value"].strip("'\"")
        if name is None:
            if value not in ("AND", ","):
                found.where.append("body LIKE ?")
                found.values.append(f"%{value}%")
            continue
        if name not in known:
            found.warnings.append({"field": name, "message": "Invalid search field for this query.",
                                   "code": "invalid_field"})
            continue
        if not known[name]:
            continue
        if known[name] == "body":
            found.where.append("body LIKE ?")
            found.values.append(f'%"{name}":"{value}"%')
            continue
        if name.endswith("_at") or name == "customer_date":
            if not _STAMP.fullmatch(value):
                found.warnings.append({"field": name, "message": f"Input `{value}` is not an accepted value.",
                                       "code": "invalid_value"})
                continue
            value = value.replace("T", " ").removesuffix("Z")
        found.where.append(f'{known[name]} {term["sign"] or "="} ?')
        found.values.append(int(value) if known[name] in ("id", "payout") and value.isdigit() else value)
    return found
