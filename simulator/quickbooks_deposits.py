"""Deposits of a QuickBooks company: what payouts of a payment provider brought to the bank.

Sales receipts of the payout's week, as far as they are in the company's currency, are lines that link them, out of
undeposited funds; the rest of what was charged comes out of the clearing account, and the fee is a line below zero. A
line that links a receipt has no Id, as the vendor's own have none.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from simulator.clock import DAY, EPOCH, date_text
from simulator.money import CURRENCIES, amount_text
from simulator.payouts import Deposit
from simulator.plan import World
from simulator.quickbooks_master import ACCOUNTS, number, record, ref
from simulator.systems import Row

_FIRST = 7_000_000  # ids of deposits begin here


def rows(world: World, database: sqlite3.Connection, found: list[Deposit]) -> Iterator[Row]:
    """(table, row) of deposits and of what they post."""
    home = next(iter(world.unit.entities.values())).currency
    receipts = _receipts(database, home)
    for deposit in found:
        if deposit.currency != home:
            raise ValueError(f"a payout in {deposit.currency} to the books of a company in {home}")
        first, last = deposit.week or (0, -1)
        taken, left = [], deposit.gross
        for identity, amount, created in (each for day in range(first, last + 1) for each in receipts[day]):
            if amount <= left and created < deposit.created:
                taken.append((identity, amount))
                left -= amount
        yield from _deposit(deposit, taken, left, home)


def _receipts(database: sqlite3.Connection, home: str) -> dict[int, list[tuple[str, int, float]]]:
    """{day: (Id, total, moment of entry) of the sales receipts in the home currency}."""
    found: dict[int, list[tuple[str, int, float]]] = defaultdict(list)
    scale = 10 ** CURRENCIES[home].decimals
    for identity, text in database.execute("SELECT id, body FROM quickbooks__SalesReceipt ORDER BY id"):
        body = json.loads(text)
        if body["CurrencyRef"]["value"] == home and body["TotalAmt"] > 0:
            day = (date.fromisoformat(body["TxnDate"]) - EPOCH).days
            created = datetime.fromisoformat(body["MetaData"]["CreateTime"]).timestamp()
            found[day].append((identity, round(body["TotalAmt"] * scale), created))
    return found


def _deposit(deposit: Deposit, taken: list[tuple[str, int]], left: int, currency: str) -> Iterator[Row]:
    decimals, identity, day = CURRENCIES[currency].decimals, str(_FIRST + deposit.number), deposit.created // DAY
    lines: list[dict[str, Any]] = [
        {"Amount": number(amount, decimals), "LinkedTxn": [{"TxnId": receipt, "TxnType": "SalesReceipt",
                                                            "TxnLineId": "0"}]} for receipt, amount in taken]
    direct = [("Card Clearing", left), ("Merchant Fees", -deposit.fee)]
    lines += [{"Id": str(place), "LineNum": place, "Description": deposit.memo, "Amount": number(amount, decimals),
               "DetailType": "DepositLineDetail", "DepositLineDetail": {"AccountRef": ref(account)}}
              for place, (account, amount) in enumerate(direct, len(taken) + 1) if amount]
    net = deposit.gross - deposit.fee
    yield record("Deposit", identity, deposit.created, deposit.created, {
        "TxnDate": date_text(day), "CurrencyRef": {"value": currency, "name": CURRENCIES[currency].name},
        "TotalAmt": number(net, decimals), "DepositToAccountRef": ref("Operating Bank"), "PrivateNote": deposit.memo,
        "Line": lines})
    receipts = sum(amount for _, amount in taken)
    entries = [("Operating Bank", net), ("Undeposited Funds", -receipts),
               *((account, -amount) for account, amount in direct)]
    for place, (account, amount) in enumerate(each for each in entries if each[1]):
        yield "quickbooks__posting", (
            "Deposit", identity, place, date_text(day), ACCOUNTS[account][0],
            amount_text(amount, decimals) if amount > 0 else None,
            amount_text(-amount, decimals) if amount < 0 else None, "", "", "")
