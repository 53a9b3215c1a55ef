"""One sound row in every table of Health Cloud: claim C1 of an encounter, approved for 100.00, and its cycle."""

from __future__ import annotations

from typing import Any

PERSON = "h1:" + "0f" * 32


def fill(put: Any) -> None:
    """raw: `put(table, key, **values)`."""
    put("health_cloud__account", "A1", id="A1", name="Payer", ispersonaccount=False)
    put("health_cloud__product2", "P1", id="P1", name="A")
    put("health_cloud__purchaserplan", "L1", id="L1", payerid="A1")
    put("health_cloud__memberplan", "M1", id="M1", memberid=PERSON, payerid="A1", priorityorder=1)
    put("health_cloud__coveragebenefit", "B1", id="B1", memberid=PERSON, memberplanid="M1")
    put("health_cloud__clinicalencounter", "E1", id="E1", patientid=PERSON, caseid="K1", startdate="2026-05-01")
    put("health_cloud__claim", "C1", id="C1", name="CLM-1", caseid="K1", status="Approved", currencyisocode="USD",
        estimatedamount="120.00", approvedamount="100.00")
    put("health_cloud__claimitem", "I1", id="I1", claimid="C1", productid="P1", approved_amount="100.00")
    put("health_cloud__claimpaymentsummary", "Y1", id="Y1", claimid="C1", paymentamount="70.00",
        paymentdate="2026-06-01")
    put("health_cloud__careprogram", "G1", id="G1", name="Programme")
    put("health_cloud__careprogramproduct", "Q1", id="Q1", careprogramid="G1")
    put("health_cloud__careprogramenrollee", "R1", id="R1", accountid=PERSON, careprogramid="G1")


def fill_marts(put: Any, common: dict[str, Any]) -> None:
    """marts: `put(mart, **values)`. The claim is booked; of 110.00 that were billed 40.00 are open."""
    put("fct_revenue", event_key="eC1", connection="health_cloud", source_system="health_cloud", document_key="C1",
        document_id="C1", document_type="deal", document_number="CLM-1", line_id="I1", event_type="booking", leg="item",
        product_key="p1", net_amount=100, tax_amount=0, total_amount=100, source_sign=1, functional_net_amount=100,
        functional_total_amount=100, group_net_amount=100, group_total_amount=100, event_date="2026-05-04",
        document_date="2026-05-04", posting_period="2026-05", original_period="2026-05", scope="in", basis="document",
        batch_id=1, source_url="https://example.invalid/C1", **common)
    put("fin_revenue_cycle", cycle_key="y1", connection="health_cloud", payer_key="c1", payer_name="Acme",
        claim_document_key="C1", claim_number="CLM-1", encounter_number="4711", claim_status="approved",
        cycle_status="paid in part", charged_amount=120, approved_amount=100, reduced_amount=20, denied_amount=0,
        withdrawn_amount=0, pending_amount=0, payer_paid_amount=70, billed_amount=110, paid_amount=70, open_amount=40,
        short_paid_amount=40, unpaid_amount=0, not_due_amount=0, overdue_30_amount=40, overdue_60_amount=0,
        overdue_90_amount=0, overdue_more_amount=0, credit_amount=0, group_open_amount=40, bill_count=1,
        as_of_date="2026-07-01", **common)
