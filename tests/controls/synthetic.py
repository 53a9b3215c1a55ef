"""A warehouse in miniature: every raw and marts table, a handful of rows that tie out to the cent.

Marts have the columns that dbt's contracts declare, without constraints, so that any fault can be planted. The rows
tell one story: deal D1 (100.00) → order 10 → invoice 20 → ledger → payment 30, paid in full but for 40.00.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from ruamel.yaml import YAML

from tests.conftest import ROOT, clear_settings, demo_company, open_folder
from tests.controls import (
    synthetic_dynamics,
    synthetic_health,
    synthetic_oracle,
    synthetic_quickbooks,
    synthetic_shopify,
)
from tieout import localpg
from tieout.spec import shipped

FOREVER = 9223372036854775807
RUN = 1


@contextmanager
def own_warehouse() -> Iterator[dict[str, str]]:
    """An embedded Postgres of one's own, migrated, with settings pointing to it; the session's is not touched."""
    from tieout.warehouse import migrate

    with open_folder() as home:
        variables = {**localpg.start(home), "TIEOUT_HOME": str(home)}
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        clear_settings()
        try:
            migrate(demo_company())
            yield variables
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
            clear_settings()
            localpg.stop(home)


# --- marts ------------------------------------------------------------------------------------------------------------


@cache
def contracts() -> dict[str, dict[str, str]]:
    """{mart: {column: type}} as dbt's contracts declare them."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "dbt_project" / "models" / "marts").rglob("*.yml")):
        for model in YAML(typ="safe").load(path.read_text(encoding="utf-8")).get("models", []):
            found[model["name"]] = {column["name"]: column["data_type"] for column in model["columns"]}
    return found


def create_marts(connection: psycopg.Connection) -> list[str]:
    """Empty marts tables, made by the role that makes them (transformer); returns their names."""
    made = []
    for mart, columns in contracts().items():
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f'create table marts."{mart}" ({listed})')
        made.append(mart)
    assert len(made) > 10, f"dbt declares {made}"
    return made


def insert(connection: psycopg.Connection, table: str, /, **values: Any) -> None:
    """One row; marts are current versions of run 1, raw rows are current versions of batch 1, unless said otherwise."""
    ours = {"raw": {"_connection": "netsuite", "_is_deleted": False, "_batch_id": 1, "_row_hash": 1},
            "marts": {"recorded_run": RUN, "superseded_run": FOREVER, "row_hash": "h"}, "ops": {}}[table.split(".")[0]]
    if table.startswith("marts.") and "recorded_run" not in contracts()[table.removeprefix("marts.")]:
        ours = {}
    row = {**ours, **values}
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"insert into {table} ({names}) values ({', '.join(['%s'] * len(row))})", tuple(row.values()))


def unconstrain(connection: psycopg.Connection) -> None:
    """Drop what would refuse a planted fault in raw: NOT NULL and unique indexes."""
    columns = connection.execute(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'raw' and is_nullable = 'NO'").fetchall()
    for table, column in columns:
        connection.execute(f'alter table raw."{table}" alter column "{column}" drop not null')
    for (index,) in connection.execute("select indexname from pg_indexes where schemaname = 'raw'").fetchall():
        connection.execute(f'drop index raw."{index}"')


# --- the story --------------------------------------------------------------------------------------------------------


def fill_ops(connection: psycopg.Connection) -> None:
    """Run 1 with one load per connection, built by run 1."""
    connection.execute("insert into ops.run (kind, label, logical_at) values ('revenue', 'revenue', '2026-07-01')")
    loads = [("netsuite", "transaction", 4), ("salesforce", "Opportunity", 1)]
    for batch, (system, stream, landed) in enumerate(loads, start=1):
        insert(connection, "ops.load", run_id=RUN, connection=system, system=system, stream=stream,
               table_name=f"{system}__{stream.lower()}", mode="incremental", state="committed", window_end="2026-07-01",
               received=landed + 100, landed=landed, unchanged=99, replayed=1, archive_uri="file:///a",
               archive_sha256="00", finished_at="2026-07-01", control_totals=(
                   '{"foreigntotal": {"received": "10.00", "landed": "7.00", "unchanged": "1.00", "replayed": "1.00", '
                   '"quarantined": "1.00"}}'))
        assert connection.execute("select max(batch_id) from ops.load").fetchone() == (batch,)
    insert(connection, "ops.build_watermark", run_id=RUN, batch_id=2)
    for system, stream in (("netsuite", "transaction"), ("salesforce", "Opportunity"), ("salesforce", "Order")):
        promised = {"due_at": "2026-06-30 23:00Z"} if stream != "Order" else {}  # a stream by hand: nothing is promised
        insert(connection, "ops.promise", connection=system, stream=stream, as_of="2026-07-01", **promised)


def fill_raw(connection: psycopg.Connection) -> None:
    """One sound row in every raw table; the story's documents."""
    def put(table: str, key: str, **values: Any) -> None:
        system = table.split("__")[0]
        batch = 2 if system == "salesforce" else 1
        insert(connection, f"raw.{table}", _key=key, _connection=system, _batch_id=batch, **values)

    synthetic_oracle.fill(put)
    synthetic_dynamics.fill(put)
    synthetic_shopify.fill(put)
    synthetic_health.fill(put)
    synthetic_quickbooks.fill(put)
    put("netsuite__currency", "1", id="1", symbol="USD", name="US Dollar")
    put("netsuite__currency", "2", id="2", symbol="EUR", name="Euro")
    put("netsuite__subsidiary", "1", id="1", name="US01", currency="1")
    put("netsuite__accountingperiod", "5", id="5", periodname="May 2026", startdate="2026-05-01", enddate="2026-05-31")
    put("netsuite__accountingbook", "1", id="1", name="Primary", isprimary=True)
    put("netsuite__account", "40", id="40", accttype="Income")
    put("netsuite__account", "11", id="11", accttype="AcctRec")
    put("netsuite__currencyrate", "1", id="1", basecurrency="1", transactioncurrency="2", effectivedate="2026-05-01",
        exchangerate="1.1")
    put("netsuite__customer", "7", id="7", entityid="ACME")
    put("netsuite__customeraddressbook", "1", internalid="1", entity="7")
    put("netsuite__customeraddressbookentityaddress", "1", nkey="1", country="US")
    put("netsuite__item", "3", id="3", itemid="A")
    put("netsuite__deletedrecord", "9|1|x", recordid="9")
    documents = [("10", "SalesOrd", "G", "100.00", False), ("20", "CustInvc", "A", "110.00", True),
                 ("30", "CustPymt", "C", "70.00", True)]
    for key, kind, status, total, posting in documents:
        put("netsuite__transaction", key, id=key, type=kind, status=status, currency="1", trandate="2026-05-04",
            foreigntotal=total, exchangerate="1", posting=posting, postingperiod="5" if posting else None)
        put("netsuite__transactionline", f"{key}0", uniquekey=f"{key}0", transaction=key, id="0", foreignamount=total)
    put("netsuite__transaction", "70", id="70", type="Deposit", currency="1", trandate="2026-05-04", exchangerate="1",
        foreigntotal="30.00", posting=True, postingperiod="5")
    for line, account, amount in (("0", "11", "100.00"), ("1", "40", "-100.00")):
        put("netsuite__transactionaccountingline", f"1|20|{line}", accountingbook="1", transaction="20",
            transactionline=line, account=account, amount=amount, posting=True)
    put("netsuite__nexttransactionlink", "10|1|20|1|OrdBill", previousdoc="10", nextdoc="20", linktype="OrdBill")
    put("salesforce__account", "A1", id="A1", name="Acme")
    put("salesforce__opportunity", "D1", id="D1", iswon=True, isclosed=True, amount="100.00", currencyisocode="USD",
        closedate="2026-05-02", stagename="Closed Won")
    put("salesforce__opportunitylineitem", "L1", id="L1", opportunityid="D1", totalprice="100.00")
    put("salesforce__product2", "P1", id="P1", name="A")
    put("salesforce__user", "U1", id="U1")
    put("salesforce__contract", "C1", id="C1")
    put("salesforce__currencytype", "USD", id="T1", isocode="USD", conversionrate="1")
    put("salesforce__datedconversionrate", "R1", id="R1", isocode="EUR", conversionrate="0.9", startdate="2026-05-01")
    put("salesforce__order", "O1", id="O1", status="Activated", currencyisocode="USD")
    put("salesforce__orderitem", "I1", id="I1", orderid="O1")
    _fill_sap(put)
    for stream in (stream for source in shipped() for stream in source.streams):
        if connection.execute(f"select not exists (select from raw.{stream.table})").fetchone() == (True,):
            put(stream.table, "1", **{name: "1" for name in stream.key if stream.column(name).type == "text"})


def _fill_sap(put: Any) -> None:
    """One sound row in every table of SAP, by OData and as extracts."""
    cube = {"companycode": "1010", "fiscalyear": "2026", "accountingdocument": "90"}
    put("sap__a_businesspartner", "7", businesspartner="7", customer="7")
    put("sap__a_customer", "7", customer="7")
    put("sap__a_businesspartneraddress", "7|1", businesspartner="7", addressid="1")
    put("sap__a_addressemailaddress", "1||001", addressid="1", ordinalnumber="001")
    put("sap__a_product", "P", product="P")
    put("sap__a_productdescription", "P|EN", product="P", language="EN")
    put("sap__a_companycode", "1010", companycode="1010", currency="EUR")
    put("sap__a_salesorder", "10", salesorder="10")
    put("sap__a_salesorderitem", "10|10", salesorder="10", salesorderitem="10")
    put("sap__a_outbdeliveryheader", "15", deliverydocument="15")
    put("sap__a_outbdeliveryitem", "15|10", deliverydocument="15", deliverydocumentitem="10")
    for key, category, cancelled in (("20", "M", ""), ("21", "N", "19")):
        put("sap__a_billingdocument", key, billingdocument=key, sddocumentcategory=category, totalnetamount="100.00",
            transactioncurrency="EUR", billingdocumentdate="2026-05-04", cancelledbillingdocument=cancelled)
    put("sap__a_billingdocumentitem", "21|10", billingdocument="21", billingdocumentitem="10")
    for item, code, amount in (("001", "S", "100.00"), ("002", "H", "-100.00")):
        put("sap__a_operationalacctgdocitemcube", f"1010|2026|90|{item}", accountingdocumentitem=item,
            debitcreditcode=code, amountincompanycodecurrency=amount, **cube)
    put("sap__i_exchangeraterawdata", "M|EUR|USD|2026-05-01", exchangeratetype="M", exchangerate="1.1")
    put("sap__a_matlstkinacctmod", "P|1|||||||||01", material="P", plant="1")
    for table, key, values in (
        ("kna1", "7", {"kunnr": "7"}), ("t001", "1010", {"bukrs": "1010"}), ("tcurx", "JPY", {"currkey": "JPY"}),
        ("tcurr", "1", {"kurst": "M", "gdatu": "79739498"}), ("tcurf", "1", {"kurst": "M", "gdatu": "79999898"}),
        ("vbak", "10", {"vbeln": "10"}), ("vbap", "10|10", {"vbeln": "10"}), ("likp", "15", {"vbeln": "15"}),
        ("lips", "15|10", {"vbeln": "15"}), ("vbrk", "20", {"vbeln": "20", "vbtyp": "M"}),
        ("vbrp", "20|10", {"vbeln": "20"}), ("bkpf", "1", {"bukrs": "1", "belnr": "1", "gjahr": "1"}),
        ("bseg", "1|1", {"bukrs": "1", "belnr": "1", "gjahr": "1", "dmbtr": "1.00", "wrbtr": "1.00"}),
        ("acdoca", "0L|1", {"rldnr": "0L", "rbukrs": "1", "belnr": "1", "gjahr": "1", "docln": "1", "hsl": "0.00"}),
        ("vbfa", "10|10", {"vbelv": "10", "vbeln": "15", "vbtyp_n": "J", "vbtyp_v": "C"}),
    ):
        put(f"sap_tables__{table}", key, **values)


MONEY = {"currency_code": "USD", "functional_currency_code": "USD", "group_currency_code": "USD"}
HOPS = ("deal_order", "order_invoice", "invoice_cash", "invoice_ledger")
# hop → (left document, its amount, right document, its amount); what is missing on the right is one A10 break.
PAIRS = {
    "deal_order": ("D1", 100, "10", 100), "order_invoice": ("10", 100, "20", 100),
    "invoice_cash": ("20", 110, "30", 70), "invoice_ledger": ("20", 100, "20", 100),
}
TYPES = {"D1": ("salesforce", "deal", "booking"), "10": ("netsuite", "order", "order"),
         "20": ("netsuite", "invoice", "billing"), "30": ("netsuite", "payment", "cash")}


def fill_marts(connection: psycopg.Connection) -> None:
    """The story as the marts tell it. Every invariant holds."""
    def put(mart: str, **values: Any) -> None:
        columns = contracts()[mart]
        insert(connection, f"marts.{mart}", **{name: value for name, value in values.items() if name in columns})

    common = {"business_unit": "", "legal_entity_id": "US01", "customer_key": "c1", "customer_name": "Acme", **MONEY}
    put("dim_customer", customer_key="c1", name="Acme")
    put("dim_product", product_key="p1", name="A")
    put("dim_legal_entity", legal_entity_id="US01", name="United States", functional_currency_code="USD")
    put("dim_currency", currency_code="USD", currency_name="US Dollar", minor_units=2)
    for document, (source, kind, event) in TYPES.items():
        net, tax = (None, None) if event == "cash" else (100, 10 if event == "billing" else 0)
        total = 70 if event == "cash" else net + tax
        put("fct_revenue", event_key=f"e{document}", connection=source, source_system=source, document_key=document,
            document_type=kind, document_id=document, document_number=f"N{document}", line_id="1", event_type=event,
            leg="item", product_key="p1", net_amount=net, tax_amount=tax, total_amount=total, source_sign=1,
            functional_net_amount=net, functional_total_amount=total, group_net_amount=net, group_total_amount=total,
            event_date="2026-05-04", document_date="2026-05-04", posting_period="2026-05", original_period="2026-05",
            scope="in", basis="posted", batch_id=1, source_url="https://example.invalid/1", **common)
    put("fct_revenue", event_key="e21", connection="sap", source_system="sap", document_key="21", document_id="21",
        document_type="invoice_cancellation", document_number="N21", line_id="10", event_type="billing_cancel",
        leg="item", product_key="p1", net_amount=-100, tax_amount=0, total_amount=-100, source_sign=-1,
        functional_net_amount=-100, functional_total_amount=-100, group_net_amount=-100, group_total_amount=-100,
        event_date="2026-05-04", document_date="2026-05-04", posting_period="2026-05", original_period="2026-05",
        scope="in", basis="document", batch_id=1, source_url="https://example.invalid/21", **common)
    for document, source, kind, event, amount in (
        ("D9", "dynamics_sales", "deal", "booking", 100), ("J20", "dynamics_finance", "invoice", "billing", 100),
        ("J21", "dynamics_finance", "invoice_cancellation", "billing_cancel", -100),
        ("T30", "dynamics_finance", "payment", "cash", 100), ("Pustc|B2|1", "dynamics_finance", "payment", "cash", 100),
        ("4501", "shopify", "deal", "booking", 100),
    ):
        net = None if event == "cash" else amount
        out = {"scope": "out", "scope_reason": "H2"} if document.startswith("P") else {"scope": "in"}
        put("fct_revenue", event_key=f"e{document}", connection=source, source_system=source, document_key=document,
            document_type=kind, document_id=document, document_number=f"N{document}", line_id="1", event_type=event,
            leg="item", product_key="p1", net_amount=net, tax_amount=None if net is None else 0, total_amount=amount,
            source_sign=1, functional_net_amount=net, functional_total_amount=amount, group_net_amount=net,
            group_total_amount=amount, event_date="2026-05-04", document_date="2026-05-04", posting_period="2026-05",
            original_period="2026-05", basis="document", batch_id=1, source_url="https://example.invalid/9",
            **out, **common)
    for hop, (left, left_amount, right, right_amount) in PAIRS.items():
        _hop(put, common, hop, (left, left_amount), (right, right_amount))
    put("rec_document_chain", chain_key="h1", connection="salesforce", deal_document_key="D1", deal_number="ND1",
        first_document_key="D1", deal_amount=100, order_amount=100, delivered_amount=0, invoice_amount=100,
        credit_amount=0, ledger_amount=100, cash_amount=70, stopped_at="cash", period="2026-05",
        document_date="2026-05-02", **common)
    put("rec_gl_tieout", tieout_key="t1", period="2026-05", account_kind="revenue", subledger_amount=100,
        ledger_amount=100, manual_amount=0, difference_amount=0, explained_amount=0, unexplained_amount=0, **common)
    steps = [(100, "bookings", 100), (200, "orders", 100), (300, "billings", 100), (400, "revenue", 100),
             (420, "tax", 10), (500, "billings with tax", 110), (540, "A10 Overdue", -40), (600, "cash", 70)]
    for order, step, amount in steps:
        put("rec_revenue_bridge", bridge_key=f"b{order}", period="2026-05", step=step, step_order=order,
            group_amount=amount, **common)
    put("fin_ar_ageing", ageing_key="g1", as_of_date="2026-07-01", document_key="20", document_number="N20",
        open_amount=40, functional_open_amount=40, group_open_amount=40, due_date="2026-06-03", days_overdue=28,
        bucket="1-30", **common)
    put("fin_stock_cover", stock_cover_key="w1", connection="netsuite", place_id="1", product_key="p1",
        on_hand_quantity=12, sold_quantity=10, daily_quantity=0.111111, cover_days=108, window_days=90,
        reorder_cover_days=30, is_reorder=False, cover_status="covered", as_of_date="2026-06-30",
        window_end_date="2026-06-30", **common)
    synthetic_health.fill_marts(put, common)
    synthetic_quickbooks.fill_marts(put, common)
    synthetic_shopify.fill_marts(put, common)


def _hop(put: Any, common: dict[str, Any], hop: str, left: tuple[str, int], right: tuple[str, int]) -> None:
    gap = left[1] - right[1]
    outcome = "broken" if gap else "matched"
    match, applied = f"m_{hop}", 100 * min(left[1], right[1])
    cell = {**common, "hop": hop, "period": "2026-05", "group_key": left[0]}
    for side, (document, amount) in (("left", left), ("right", right)):
        source, kind, _ = TYPES[document]
        put("rec_document", document_hop_key=f"{hop}_{side}", side=side, document_key=document, connection=source,
            document_type=kind, document_id=document, document_number=f"N{document}", document_date="2026-05-04",
            amount=amount, functional_amount=amount, group_amount=amount, outcome=outcome,
            reason_code="A10" if gap else None, match_key=match, **cell)
        put("rec_match_member", member_key=f"{hop}_{side}", match_key=match, side=side, document_key=document,
            amount=amount, group_amount=amount, applied_minor_units=applied, **cell)
    put("rec_match", match_key=match, match_pass=2, pass_name="link", status="confirmed", confidence=1, margin=1,
        left_count=1, right_count=1, left_amount=left[1], right_amount=right[1], difference_amount=gap,
        applied_minor_units=applied, group_left_amount=left[1], group_right_amount=right[1], **cell)
    if gap:
        source, kind, _ = TYPES[left[0]]
        said = {"reason_code": "A10", "amount": gap, "group_amount": gap, **cell}
        put("rec_break", break_key=f"k_{hop}", reason_name="Overdue", match_key=match, document_key=left[0],
            connection=source, document_type=kind, document_id=left[0], document_number=f"N{left[0]}",
            functional_amount=gap, direction="left", confidence=1, is_expected=False, first_seen_date="2026-06-04",
            age_days=27, age_bucket="0-30", materiality="low", owner="collections", status="open",
            period_opened="2026-05", source_url="https://example.invalid/20", evidence="due 2026-06-03", **said)
        put("rec_break_effect", effect_key=f"f_{hop}", break_key=f"k_{hop}", **said)
        put("rec_suggestion", member_key=f"g_{hop}", suggestion_key=f"s_{hop}", side="left", pass_name="scored",
            is_sure=True, confidence=0.9, document_key=left[0], document_id=left[0], open_amount=gap,
            difference_amount=gap, **{**said, "reason_code": None})
    sums = {f"{word}_{side}_{what}": 0 for word in ("matched", "broken", "scoped") for side in ("left", "right")
            for what in ("count", "amount")}
    for side, (_, amount) in (("left", left), ("right", right)):
        sums |= {f"{outcome}_{side}_count": 1, f"{outcome}_{side}_amount": amount}
    put("rec_summary", summary_key=f"s_{hop}", left_count=1, left_amount=left[1], right_count=1, right_amount=right[1],
        gap_amount=gap, explained_amount=gap, unexplained_amount=0, group_left_amount=left[1],
        group_right_amount=right[1], group_gap_amount=gap, group_unexplained_amount=0, **sums, **cell)
