"""What the proprietary CRM's records mean, as tieout.yml says it: the same words, whichever way the records come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LINES = {"deal_line": ("deal", "deal_no"), "sales_order_line": ("sales_order", "order_no")}


def streams(read: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The streams as they stand in tieout.yml. `read(table)`: how a table is read; its `columns` come on top."""
    found = {}
    for table, (key, columns, contracts) in _meaning().items():
        told = read(table)
        whose = {"person": "customer_no"} if table == "customer" else {}
        told = {**told, **whose, "columns": columns | told.get("columns", {})}
        found[table] = {"key": key, **told, "contracts": contracts}
    return found


def _meaning() -> dict[str, tuple[list[str], dict[str, Any], dict[str, Any]]]:
    """{table: (key, columns, contracts)}"""
    line = {"line_no": "integer", "article_no": "text", "quantity": "amount", "net": "amount"}
    won = {"header.stage": "WON", "header.gone": None}
    header = {"stream": "deal", "on": {"deal_no": "deal_no"}}
    return {
        "customer": (["customer_no"], {
            "customer_no": "text", "name": {"type": "text", "pii": True}, "tax_id": "text", "street": "text",
            "city": "text", "state": "text", "zip": "text", "country": "text", "web": "text", "erp_no": "text",
            "is_group": "text", "changed_at": "timestamp"}, {"customers": {"columns": {
                "customer_id": "customer_no", "name": "name", "tax_id": "tax_id", "street": "street", "city": "city",
                "region": "state", "postal_code": "zip", "country_code": "country", "domain": "web",
                "external_customer_id": "erp_no", "is_intercompany": {"true_when": {"is_group": "X"}}}}}),
        "article": (["article_no"], {
            "article_no": "text", "code": "text", "name": "text", "family": "text"}, {"products": {"columns": {
                "product_id": "article_no", "product_code": "code", "name": "name", "family": "family"}}}),
        "deal": (["deal_no"], {
            "deal_no": "text", "title": "text", "customer_no": "text", "entity": "text", "currency": "text",
            "net": "amount", "stage": "text", "won_on": "date", "gone": "text", "changed_at": "timestamp"}, {
                "documents": {"where": {"stage": "WON", "gone": None}, "columns": {
                    "document_type": {"constant": "deal"}, "document_id": "deal_no", "document_number": "title",
                    "document_date": "won_on", "customer_id": "customer_no", "legal_entity": "entity",
                    "currency_code": "currency", "source_status_code": "stage", "header_total_amount": "net",
                    "status": {"constant": "won"}}}}),
        "deal_line": (["deal_no", "line_no"], {"deal_no": "text", **line}, {
            "revenue_events": {"where": won, "header": header, "columns": {
                "document_type": {"constant": "deal"}, "document_id": "deal_no", "line_id": "line_no",
                "event_type": {"constant": "booking"}, "product_id": "article_no", "quantity": "quantity",
                "net_amount": "net"}}}),
        "sales_order": (["order_no"], {
            "order_no": "text", "display_no": "text", "customer_no": "text", "deal_no": "text", "po_no": "text",
            "erp_no": "text", "entity": "text", "currency": "text", "net": "amount", "ordered_on": "date",
            "changed_at": "timestamp"}, {
                "documents": {"columns": {
                    "document_type": {"constant": "crm_order"}, "document_id": "order_no",
                    "document_number": "display_no", "document_date": "ordered_on", "customer_id": "customer_no",
                    "legal_entity": "entity",
                    "currency_code": "currency", "external_id": "erp_no", "reference": "po_no",
                    "header_total_amount": "net"}},
                "document_links": {"columns": {
                    "from_type": {"constant": "deal"}, "from_id": "deal_no", "to_type": {"constant": "crm_order"},
                    "to_id": "order_no", "link_type": {"constant": "deal_order"}}}}),
        "sales_order_line": (["order_no", "line_no"], {"order_no": "text", **line}, {
            "revenue_events": {"columns": {
                "document_type": {"constant": "crm_order"}, "document_id": "order_no", "line_id": "line_no",
                "event_type": {"constant": "order"}, "product_id": "article_no", "quantity": "quantity",
                "net_amount": "net"}}}),
    }
