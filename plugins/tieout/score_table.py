"""Scores of several companies as one page: are the goals reached, by run, by hop and by break class.

Input is what `scratch.score` returns, one dict per run. Shares are of counts; money stays text until it is added up.
A class's `recall` asks for the right reason at the right hop, of everything planted; `reason` asks for the right one
among those planted breaks of which the warehouse said anything at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

NOBODY = "none"  # `simulator.score`: nothing was reported on a planted break's documents
PAIR_F1, CLASS_RECALL, CLASS_REASON = 0.97, 0.95, 0.93
CUSTOMERS_F1, CUSTOMERS_PRECISION = 0.975, 0.999
FALSE_COUNT, FALSE_AMOUNT = Decimal("0.001"), Decimal("0.0005")
FEWEST = 20


@dataclass(frozen=True)
class Goal:
    """One goal, the figure of the run or class that is furthest from it, and whether all reach it."""

    what: str
    wanted: str
    worst: str
    where: str
    is_reached: bool


def page(results: Sequence[dict[str, Any]], command: str) -> str:
    """The page as Markdown. ValueError where there is no result."""
    if not results:
        raise ValueError("no scores to write down")
    return "\n\n".join((
        "# Score\n\n" + _opening(results, command),
        "## Goals\n\n" + _goals(goals(results)),
        "## Runs\n\n" + _runs(results),
        "## Hops\n\n" + _hops(results),
        "## Break classes\n\n" + _classes(results),
        "## Confusion\n\n" + _confusion(results),
    )) + "\n"


def _opening(results: Sequence[dict[str, Any]], command: str) -> str:
    units = ", ".join(sorted({result.get("unit", "global") for result in results}))
    sizes = ", ".join(sorted({result["size"] for result in results}))
    planted = sum(sum(result["planted"].values()) for result in results)
    return (
        f"Written by `{command}`. Each run generates a company (unit {units}, {sizes} orders), serves it through its"
        f" vendors' APIs, lands and builds everything in a scratch warehouse, and compares the marts with the answer"
        f" key, which the pipeline never reads. {len(results)} runs, {planted:,} planted breaks. Levels differ in how"
        f" differently the two systems spell names."
    )


# --- goals


def goals(results: Sequence[dict[str, Any]]) -> list[Goal]:
    """Every goal against its worst run, or its worst class over all runs."""
    runs = [(name_of(result), result) for result in results]
    f1 = min((overall_f1(result), name) for name, result in runs)
    counted = max((false_share(result)[0], name) for name, result in runs)
    valued = max((false_share(result)[1], name) for name, result in runs)
    left = max((unexplained(result), name) for name, result in runs)
    classes = class_rows(results)
    found = min((row["recall"], name) for name, row in classes.items() if row["planted"])
    right = min((row["reason"], name) for name, row in classes.items() if row["planted"])
    customers = {level: _customers([run for run in results if run["level"] == level])
                 for level in sorted({run["level"] for run in results})}  # fmt: skip
    joined = min((f1, f"level {level}") for level, (f1, _) in customers.items())
    trusted = min((precision, f"level {level}") for level, (_, precision) in customers.items())
    return [
        Goal("pair F1 over all hops", f"≥ {PAIR_F1}", f"{f1[0]:.4f}", f1[1], f1[0] >= PAIR_F1),
        Goal("recall of a planted class", f"≥ {CLASS_RECALL}", f"{found[0]:.4f}", found[1], found[0] >= CLASS_RECALL),
        Goal("its right reason", f"≥ {CLASS_REASON}", f"{right[0]:.4f}", right[1], right[0] >= CLASS_REASON),
        Goal("false automatic matches by count", "≤ 0.1 %", _percent(counted[0]), counted[1],
             counted[0] <= FALSE_COUNT),
        Goal("the same by amount", "≤ 0.05 %", _percent(valued[0]), valued[1], valued[0] <= FALSE_AMOUNT),
        Goal("unexplained money", "0.00", f"{left[0]:.2f}", left[1], not left[0]),
        Goal("customers: pair F1 of a level", f"≥ {CUSTOMERS_F1}", f"{joined[0]:.4f}", joined[1],
             joined[0] >= CUSTOMERS_F1),
        Goal("customers: precision of what was joined", f"≥ {CUSTOMERS_PRECISION}", f"{trusted[0]:.4f}", trusted[1],
             trusted[0] >= CUSTOMERS_PRECISION),
    ]


def name_of(result: dict[str, Any]) -> str:
    """Seed and level of a run."""
    return f"seed {result['seed']}, level {result['level']}"


def overall_f1(result: dict[str, Any]) -> float:
    """F1 over the pairs of all hops together."""
    return _f1(result["hops"].values())


def _f1(hops: Iterable[dict[str, Any]]) -> float:
    hops = list(hops)
    true, claimed, right = (sum(hop[word] for hop in hops) for word in ("pairs", "claimed", "tp"))
    wrong = sum(hop["fp"] for hop in hops)
    return _mean(1 - wrong / claimed if claimed else 1.0, right / true if true else 1.0)


def _mean(precision: float, recall: float) -> float:
    return round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0


def _customers(results: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """(F1, precision) of the pairs of records that share a golden customer, over several runs."""
    true, found, wrong = (sum(run["identity"][word] for run in results) for word in ("pairs", "found", "false_auto"))
    precision = _ratio(found - wrong, found)
    return _mean(precision, _ratio(found - wrong, true)), precision


def false_share(result: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Wrong confirmed matches of all confirmed ones: by count, and by amount in the group's currency."""
    told = result["false_auto"]
    return _share(told["count"], told["of"]), _share(told["group_amount"], told["of_group_amount"])


def unexplained(result: dict[str, Any]) -> Decimal:
    """Absolute unexplained amounts of all hops, in the group's currency."""
    return sum((Decimal(amount) for amount in result["unexplained"].values()), Decimal(0))


def class_rows(results: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per break class over all runs: planted, told (anything was), right, false, exact amounts, and the shares."""
    rows: dict[str, Counter] = defaultdict(Counter)
    for result in results:
        for name, row in result["classes"].items():
            rows[name].update(
                planted=row["planted"], found=row["found"], right=row["tp"], false=row["fp"], exact=row["amount_exact"])
        for name, said in result["confusion"].items():
            rows[name].update(told=sum(count for reason, count in said.items() if reason != NOBODY))
    return {
        name: {
            **{word: row[word] for word in ("planted", "found", "told", "right", "false", "exact")},
            "precision": _ratio(row["found"] - row["false"], row["found"]),
            "recall": _ratio(row["right"], row["planted"]),
            "reason": _ratio(row["right"], row["told"]),
        }
        for name, row in sorted(rows.items())
    }


# --- tables


def _goals(found: Sequence[Goal]) -> str:
    rows = [[g.what, g.wanted, g.worst, g.where, "yes" if g.is_reached else "no"] for g in found]
    return _table(["goal", "wanted", "worst", "where", "reached"], rows)


def _runs(results: Sequence[dict[str, Any]]) -> str:
    head = ["seed", "level", "pair F1", "breaks found", "false auto", "of", "by amount", "unexplained", "auto rate",
            "to review", "customers F1", "customers to review"]
    rows = []
    for result in results:
        by_count, by_amount = false_share(result)
        counted = list(result["auto_match_rate"].values())
        inside = sum(hop["documents"] - hop["scoped_out"] for hop in counted)
        planted = sum(row["planted"] for row in result["classes"].values())
        right = sum(row["tp"] for row in result["classes"].values())
        rows.append([
            result["seed"], result["level"], f"{overall_f1(result):.4f}", f"{_ratio(right, planted):.4f}",
            f"{result['false_auto']['count']} ({_percent(by_count)})", f"{result['false_auto']['of']:,}",
            _percent(by_amount), f"{unexplained(result):.2f}",
            f"{_ratio(sum(hop['matched'] for hop in counted), inside):.4f}",
            f"{sum(hop['review'] for hop in counted):,}", f"{result['identity']['f1']:.4f}",
            result["identity"]["review"],
        ])
    told = (
        "`breaks found`: planted breaks reported at their hop with their reason. `auto rate`: documents of all hops"
        " that are matched without a break, of those in scope. `to review`: documents with a break, backlog and what is"
        " not due yet included. Amounts in the group's currency."
    )
    return told + "\n\n" + _table(head, rows)


def _hops(results: Sequence[dict[str, Any]]) -> str:
    rows = []
    for name in sorted({hop for result in results for hop in result["hops"]}):
        hops = [result["hops"][name] for result in results if name in result["hops"]]
        matched = [r["auto_match_rate"][name] for r in results if name in r["auto_match_rate"]]
        true, claimed, right, wrong = (sum(hop[word] for hop in hops) for word in ("pairs", "claimed", "tp", "fp"))
        inside = sum(each["documents"] - each["scoped_out"] for each in matched)
        rows.append([
            name, f"{true:,}", f"{claimed:,}", f"{right:,}", f"{_ratio(claimed - wrong, claimed):.4f}",
            f"{_ratio(right, true):.4f}", f"{_f1(hops):.4f}", f"{min(hop['f1'] for hop in hops):.4f}",
            f"{_ratio(sum(hop['exact_groups'] for hop in hops), sum(hop['groups'] for hop in hops)):.4f}",
            f"{_ratio(sum(each['matched'] for each in matched), inside):.4f}",
        ])
    head = ["hop", "true pairs", "claimed", "right", "precision", "recall", "F1", "worst run", "exact groups",
            "auto rate"]
    return _table(head, rows)


def _classes(results: Sequence[dict[str, Any]]) -> str:
    told = (
        "All runs together. `recall`: found with the right reason, of everything planted. `reason`: right, of those"
        f" planted of which anything was reported. A class with fewer than {FEWEST} planted says little."
    )
    head = ["class", "planted", "reported", "right", "precision", "recall", "reason", "amount exact"]
    rows = [
        [name, row["planted"], row["found"], row["right"], f"{row['precision']:.4f}", _told(row, "recall"),
         _told(row, "reason"), f"{_ratio(row['exact'], row['right']):.4f}" if row["planted"] else ""]
        for name, row in class_rows(results).items()
    ]
    return told + "\n\n" + _table(head, rows)


def _told(row: dict[str, Any], word: str) -> str:
    return f"{row[word]:.4f}" if row["planted"] else ""


def _confusion(results: Sequence[dict[str, Any]]) -> str:
    """Planted reasons as rows; as columns whatever was reported of them."""
    table: dict[str, Counter] = defaultdict(Counter)
    for result in results:
        for reason, said in result["confusion"].items():
            table[reason].update(said)
    columns = sorted({said for row in table.values() for said in row} - {NOBODY})
    head = ["planted", *columns, NOBODY]
    rows = [[reason, *(table[reason][said] or "" for said in [*columns, NOBODY])] for reason in sorted(table)]
    return "Rows: what was planted. Columns: what was reported on the same documents and hop.\n\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _share(part: Any, whole: Any) -> Decimal:
    return Decimal(part) / Decimal(whole) if Decimal(whole) else Decimal(0)


def _percent(share: Decimal) -> str:
    return f"{share * 100:.3f} %"


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0
