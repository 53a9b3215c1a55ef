"""Compare the warehouse with the answer key: what was found, what was missed, what was claimed wrongly.

The pipeline never reads the key; this module never writes to the warehouse. Figures come twice: over everything
planted, and restricted to documents whose customers' names agree exactly (`restricted`), which is what exact joins can
be held to. H1 and H2 are found when the document is scoped out for that reason, at whatever hop. Money is Decimal and
leaves as text.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.units import FIRST, Unit, unit

Document = tuple[str, str]  # (system, id)
Group = tuple[Iterable[Document], Iterable[Document]]
CURRENT = 9223372036854775807
SCOPED = ("H1", "H2")


@dataclass(frozen=True)
class Found:
    """A break as the warehouse reports it."""

    hop: str
    reason: str
    documents: frozenset[Document]
    amount: Decimal
    currency: str


def read_key(folder: Path) -> dict[str, Any]:
    """The answer key of a simulated company."""
    plain = folder / "key.json"
    if plain.is_file():
        return json.loads(plain.read_text(encoding="utf-8"))
    with gzip.open(folder / "key.json.gz", "rt", encoding="utf-8") as stream:
        return json.load(stream)


def score(folder: Path, connection: Any) -> dict[str, Any]:
    """Score the newest state of the marts against `folder`'s key.

    connection: psycopg connection with read access to schema marts. Returns a dict ready for JSON: `hops`, `classes`,
    `false_auto`, `unexplained`, `auto_match_rate`, `identity`, each unrestricted and `restricted`.
    """
    key = read_key(folder)
    of = unit(key.get("unit", FIRST))
    mine = [of.connection(system) for system in of.systems]
    members = _members(connection, mine)
    found = _breaks(connection, mine) + _scoped(connection, mine)
    key_of = _key_groups(key)
    result = {
        "seed": key["seed"],
        "size": key["size"],
        "level": key["level"],
        "now": key["now"],
        "planted": dict(sorted(Counter(b["reason"] for b in key["breaks"]).items())),
        "classes": _classes(key["breaks"], found, lambda _: True),
        "restricted": {"classes": _classes(key["breaks"], found, _agrees(key))},
        "confusion": _confusion(key["breaks"], found),
        "hops": _hops(key, members, lambda _: True),
        "false_auto": _false_auto(members, key_of),
        "unexplained": _unexplained(connection),
        "auto_match_rate": _rates(connection),
        "identity": _identity(key, connection, of),
    }
    result["restricted"]["hops"] = _hops(key, members, lambda group: group["names_agree"])
    restricted = [row for row in result["restricted"]["classes"].values() if row["planted"]]
    result["passed"] = (
        all(row["recall"] == 1 for row in restricted)
        and result["false_auto"]["count"] == 0
        and all(Decimal(amount) == 0 for amount in result["unexplained"].values())
    )
    return result


def _rows(connection: Any, sql: str) -> list[tuple]:
    return connection.execute(sql).fetchall()


def _members(connection: Any, mine: list[str]) -> dict[tuple[str, str], list[tuple[str, Document, Decimal]]]:
    """Confirmed matches: (hop, match_key) → [(side, document, group amount)]."""
    rows = _rows(
        connection,
        f"""
        select m.hop, m.match_key, m.side, d.source_system, d.document_id, m.group_amount, d.connection
        from marts.rec_match_member m
        join marts.rec_match r on r.match_key = m.match_key and r.superseded_run = {CURRENT}
        join (select distinct document_key, source_system, document_id, connection from marts.fct_revenue
              where superseded_run = {CURRENT}) d on d.document_key = m.document_key
        where m.superseded_run = {CURRENT} and r.status = 'confirmed'
    """,
    )
    matches: dict[tuple[str, str], list] = defaultdict(list)
    for hop, match_key, side, system, document_id, amount, where in rows:
        if where in mine:
            matches[hop, match_key].append((side, (system, document_id), amount))
    return matches


def _breaks(connection: Any, mine: list[str]) -> list[Found]:
    """Breaks of this unit, each with the documents that its own row names."""
    rows = _rows(
        connection,
        f"""
        with document as (
            select distinct document_key, source_system, document_id, connection
            from marts.fct_revenue where superseded_run = {CURRENT}
        )
        select b.break_key, b.hop, b.reason_code, b.amount, b.currency_code, d.source_system, d.document_id,
               d.connection
        from marts.rec_break b
        left join document d on d.document_key in (b.document_key, b.counter_document_key)
        where b.superseded_run = {CURRENT}
    """,
    )
    documents: dict[str, set[Document]] = defaultdict(set)
    facts: dict[str, tuple] = {}
    for break_key, hop, reason, amount, currency, system, document_id, where in rows:
        if where is not None and where not in mine:
            continue
        if system is not None:
            documents[break_key].add((system, document_id))
        facts[break_key] = (hop, reason, amount, currency)
    return [
        Found(hop, reason, frozenset(documents[key]), Decimal(amount), currency)
        for key, (hop, reason, amount, currency) in facts.items()
        if reason not in SCOPED
    ]


def _scoped(connection: Any, mine: list[str]) -> list[Found]:
    """Documents scoped out as intercompany or non-posting, once each."""
    rows = _rows(
        connection,
        f"""
        select distinct d.reason_code, f.source_system, f.document_id, f.connection
        from marts.rec_document d
        join marts.fct_revenue f on f.document_key = d.document_key and f.superseded_run = {CURRENT}
        where d.superseded_run = {CURRENT} and d.outcome = 'scoped_out' and d.reason_code in ('H1', 'H2')
    """,
    )
    return [
        Found("", reason, frozenset({(system, document_id)}), Decimal(0), "")
        for reason, system, document_id, where in rows if where in mine
    ]


def _place(hop: str, reason: str) -> str:
    """Where a reason is looked for: its hop, but scope is the same everywhere."""
    return "" if reason in SCOPED else hop


def _key_groups(key: dict[str, Any]) -> dict[tuple[str, Document], set[str]]:
    """(hop, document) → ids of the true groups it belongs to (a payment may belong to several)."""
    groups: dict[tuple[str, Document], set[str]] = defaultdict(set)
    for group in key["groups"]:
        for document in (*group["left"], *group["right"]):
            groups[group["hop"], tuple(document)].add(group["id"])
    return groups


def _agrees(key: dict[str, Any]):
    return lambda planted: bool(planted["names_agree"])


def _classes(planted: list[dict], found: list[Found], keep: Any) -> dict[str, dict[str, Any]]:
    """Per class: planted, found, true and false positives, misses, precision, recall, f1, exact amounts.

    A planted break is found when a reported one has its hop, its reason and one of its documents; several reported ones
    may answer to one planted (two sides, two currencies). A reported break that answers to nothing planted is false:
    precision looks at everything planted, whatever `keep` says.
    """
    by_document: dict[tuple[str, str, Document], list[int]] = defaultdict(list)
    for index, one in enumerate(found):
        for document in one.documents:
            by_document[one.hop, one.reason, document].append(index)
    rows: dict[str, dict[str, Any]] = {}
    answered: dict[str, set[int]] = defaultdict(set)
    for one in planted:
        reason = one["reason"]
        row = rows.setdefault(reason, {"planted": 0, "tp": 0, "amount_exact": 0, "missed": []})
        where = _place(one["hop"], reason)
        hits = {i for document in one["documents"] for i in by_document.get((where, reason, tuple(document)), ())}
        answered[reason] |= hits
        if not keep(one):
            continue
        row["planted"] += 1
        if hits:
            row["tp"] += 1
            row["amount_exact"] += reason in SCOPED or any(_same_amount(found[i], one) for i in hits)
        elif len(row["missed"]) < 5:
            row["missed"].append({"hop": one["hop"], "documents": one["documents"], "amount": one["amount"]})
    reported = Counter(one.reason for one in found)
    for reason in reported:
        rows.setdefault(reason, {"planted": 0, "tp": 0, "amount_exact": 0, "missed": []})
    for reason, row in rows.items():
        row["found"] = reported[reason]
        row["fp"] = reported[reason] - len(answered[reason])
        row["fn"] = row["planted"] - row["tp"]
        row["precision"] = _ratio(len(answered[reason]), reported[reason])
        row["recall"] = _ratio(row["tp"], row["planted"])
        row["f1"] = _f1(row["precision"], row["recall"])
    return dict(sorted(rows.items()))


def _same_amount(found: Found, planted: dict) -> bool:
    return found.amount == Decimal(planted["amount"]) and found.currency == planted["currency"]


def _confusion(planted: list[dict], found: list[Found]) -> dict[str, dict[str, int]]:
    """Planted reason → reported reasons on the same documents and hop (`none` where nothing was reported)."""
    reported: dict[tuple[str, Document], set[str]] = defaultdict(set)
    for one in found:
        for document in one.documents:
            reported[one.hop, document].add(one.reason)
    table: dict[str, Counter] = defaultdict(Counter)
    for one in planted:
        where = _place(one["hop"], one["reason"])
        reasons = set().union(*(reported.get((where, tuple(d)), set()) for d in one["documents"]))
        said = one["reason"] if one["reason"] in reasons else "+".join(sorted(reasons)) or "none"
        table[one["reason"]][said] += 1
    return {reason: dict(row) for reason, row in sorted(table.items())}


def _hops(key: dict[str, Any], members: dict, keep: Any) -> dict[str, dict[str, Any]]:
    """Per hop over pairs (left document, right document): true, found, precision, recall, f1; and exact groups.

    Groups that share a document are one when exactness is judged: a payment of three invoices may be told in pieces.
    """
    rows = {}
    for hop in sorted({group["hop"] for group in key["groups"]}):
        groups = [g for g in key["groups"] if g["hop"] == hop]
        kept = [g for g in groups if keep(g)]
        all_true = {p for g in groups for p in _pairs(map(tuple, g["left"]), map(tuple, g["right"]))}
        true = {p for g in kept for p in _pairs(map(tuple, g["left"]), map(tuple, g["right"]))}
        claimed = set()
        told = []
        for (match_hop, _), rows_of in members.items():
            if match_hop == hop:
                left = [d for side, d, _ in rows_of if side == "left"]
                right = [d for side, d, _ in rows_of if side == "right"]
                claimed.update(_pairs(left, right))
                told.append((left, right))
        true_groups = _joined((tuple(map(tuple, g["left"])), tuple(map(tuple, g["right"]))) for g in kept)
        whole = {group for group in true_groups if all(group)}
        hit = len(whole & _joined(told))
        precision, recall = _ratio(len(claimed & all_true), len(claimed)), _ratio(len(claimed & true), len(true))
        rows[hop] = {
            "pairs": len(true),
            "claimed": len(claimed),
            "tp": len(claimed & true),
            "fp": len(claimed - all_true),
            "fn": len(true - claimed),
            "precision": precision,
            "recall": recall,
            "f1": _f1(precision, recall),
            "groups": len(whole),
            "exact_groups": hit,
        }
    return rows


def _joined(groups: Iterable[Group]) -> set[tuple[frozenset[Document], frozenset[Document]]]:
    """Groups as (left, right), those that share a document united."""
    found: list[tuple[set[Document], set[Document]]] = []
    place: dict[Document, int] = {}
    for left, right in groups:
        target = (set(left), set(right))
        for number in {place[document] for document in target[0] | target[1] if document in place}:
            target[0].update(found[number][0])
            target[1].update(found[number][1])
        found.append(target)
        place.update(dict.fromkeys(target[0] | target[1], len(found) - 1))
    return {(frozenset(found[n][0]), frozenset(found[n][1])) for n in set(place.values())}


def _pairs(left: Any, right: Any) -> set[tuple[Document, Document]]:
    right = list(right)
    return {(a, b) for a in left for b in right}


def _false_auto(members: dict, key_of: dict) -> dict[str, Any]:
    """Confirmed matches that join documents of no common true group, by count and by amount in group currency."""
    total = wrong = 0
    total_amount = wrong_amount = Decimal(0)
    samples = []
    for (hop, match_key), rows in members.items():
        documents = {document for _, document, _ in rows}
        if len(documents) < 2:
            continue
        amount = sum((abs(value or 0) for side, _, value in rows if side == "left"), Decimal(0))
        total, total_amount = total + 1, total_amount + amount
        if not set.intersection(*(key_of.get((hop, document), set()) for document in documents)):
            wrong, wrong_amount = wrong + 1, wrong_amount + amount
            if len(samples) < 5:
                samples.append({"hop": hop, "match_key": match_key, "documents": sorted(documents)})
    return {
        "count": wrong,
        "of": total,
        "share": _ratio(wrong, total) if total else 0.0,
        "group_amount": str(wrong_amount),
        "of_group_amount": str(total_amount),
        "samples": samples,
    }


def _unexplained(connection: Any) -> dict[str, str]:
    rows = _rows(
        connection,
        f"""
        select hop, sum(abs(unexplained_amount)) from marts.rec_summary
        where superseded_run = {CURRENT} group by hop order by hop
    """,
    )
    return {hop: str(amount) for hop, amount in rows}


def _rates(connection: Any) -> dict[str, Any]:
    rows = _rows(
        connection,
        f"""
        select hop, count(*), sum(case when outcome = 'matched' then 1 else 0 end),
               sum(case when outcome = 'broken' then 1 else 0 end),
               sum(case when outcome = 'scoped_out' then 1 else 0 end)
        from marts.rec_document where superseded_run = {CURRENT} group by hop order by hop
    """,
    )
    return {
        hop: {
            "documents": count,
            "matched": matched,
            "review": broken,
            "scoped_out": scoped,
            "rate": _ratio(matched, count - scoped),
        }
        for hop, count, matched, broken, scoped in rows
    }


def _identity(key: dict[str, Any], connection: Any, of: Unit) -> dict[str, Any]:
    """Pairs (record of the CRM, record of the ERP): those that share a golden customer against the key's, and how many
    pairs of records a person is asked about. `false`: a sample of what was joined wrongly.
    """
    mine = [of.connection(system) for system in of.systems]
    true = {(of.connection(a), b, of.connection(c), d) for a, b, c, d in key["customers"]}
    rows = _rows(
        connection,
        f"""
        select crm.connection, crm.customer_id, erp.connection, erp.customer_id
        from intermediate.int_customers__identified crm
        join intermediate.int_customers__identified erp on erp.customer_key = crm.customer_key
        where crm.role = 'crm' and erp.role = 'erp'
          and crm.superseded_run = {CURRENT} and erp.superseded_run = {CURRENT}
    """,
    )
    found = {row for row in rows if row[0] in mine and row[2] in mine}
    precision, recall = _ratio(len(found & true), len(found)), _ratio(len(found & true), len(true))
    waiting = _rows(
        connection, "select connection_a, connection_b from intermediate.int_customers__compared where zone = 'review'")
    return {
        "pairs": len(true), "found": len(found), "false_auto": len(found - true), "precision": precision,
        "recall": recall, "f1": _f1(precision, recall),
        "review": sum(a in mine and b in mine for a, b in waiting), "false": sorted(found - true)[:5],
    }


def _f1(precision: float, recall: float) -> float:
    both = precision + recall
    return round(2 * precision * recall / both, 4) if both else 0.0


def _ratio(part: int, whole: int) -> float:
    """A share of counts, never of money; 1 when there was nothing to find."""
    return round(part / whole, 4) if whole else 1.0
