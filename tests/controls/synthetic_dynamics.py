"""One sound row in every raw table of Dynamics 365: an order, its invoice and payment, a reversal, a deal."""

from __future__ import annotations

from collections.abc import Callable

LINES = {"baseamount": "100.00", "manualdiscountamount": "0.00"}


def fill(put: Callable[..., None]) -> None:
    """`put(table, key, **values)`."""
    _sales(put)
    _finance(put)


def _sales(put: Callable[..., None]) -> None:
    put("dynamics_sales__account", "A1", accountid="A1", name="Acme", statecode=0)
    put("dynamics_sales__product", "P1", productid="P1", productnumber="P")
    put("dynamics_sales__opportunity", "D9", opportunityid="D9", statecode=1, statuscode=3, actualvalue="100.00",
        actualclosedate="2026-05-02", transactioncurrencyid="C1", exchangerate="1", pricingerrorcode=0)
    put("dynamics_sales__opportunityproduct", "L1", opportunityproductid="L1", opportunityid="D9", **LINES)
    put("dynamics_sales__salesorder", "O1", salesorderid="O1", statecode=1, transactioncurrencyid="C1")
    put("dynamics_sales__salesorderdetail", "I1", salesorderdetailid="I1", salesorderid="O1", **LINES)
    put("dynamics_sales__quote", "Q1", quoteid="Q1")
    put("dynamics_sales__quotedetail", "QL1", quotedetailid="QL1", quoteid="Q1", **LINES)
    put("dynamics_sales__invoice", "V1", invoiceid="V1")
    put("dynamics_sales__invoicedetail", "VL1", invoicedetailid="VL1", invoiceid="V1", **LINES)
    put("dynamics_sales__transactioncurrency", "C1", transactioncurrencyid="C1", isocurrencycode="USD",
        exchangerate="1")
    put("dynamics_sales__organization", "ORG", organizationid="ORG", basecurrencyid="C1")


def _finance(put: Callable[..., None]) -> None:
    system = "dynamics_finance__"
    put(f"{system}legalentities", "USTC", legalentityid="USTC", name="Technology")
    put(f"{system}ledgers", "USTC", legalentityid="USTC", ledgerrecid=7, accountingcurrency="USD",
        exchangeratetype="Default")
    put(f"{system}mainaccounts", "Shared|401100", chartofaccounts="Shared", mainaccountid="401100",
        mainaccountrecid=4, mainaccounttype="Revenue")
    put(f"{system}customers", "ustc|C1", dataareaid="ustc", customeraccount="C1", partynumber="P1")
    put(f"{system}products", "ustc|A", dataareaid="ustc", itemnumber="A")
    put(f"{system}exchangerates", "Default|EUR|USD|2026-05-01", ratetypename="Default", fromcurrency="EUR",
        tocurrency="USD", rate="1.1", conversionfactor="One", startdate="2026-05-01")
    put(f"{system}salesorderheaders", "ustc|SO-1", dataareaid="ustc", salesordernumber="SO-1",
        salesorderstatus="Invoiced", currencycode="USD")
    put(f"{system}salesorderlines", "ustc|LOT", dataareaid="ustc", inventorylotid="LOT", salesordernumber="SO-1",
        lineamount="100.00")
    for key, amount, reversed_record in ((20, "100.00", 0), (21, "-100.00", 20)):
        put(f"{system}custinvoicejour", f"ustc|{key}", dataareaid="ustc", sourcekey=key, invoiceid=f"CIV-{key}",
            invoicedate="2026-05-04", salestype="Sales", currencycode="USD", exchrate="100", invoiceamount=amount,
            salesbalance=amount, reversedrecid=reversed_record)
        put(f"{system}custinvoicetrans", f"ustc|{key}0", dataareaid="ustc", sourcekey=key * 10,
            invoiceid=f"CIV-{key}", invoicedate="2026-05-04", lineamount=amount)
    put(f"{system}freetextinvoiceheaders", "25", dataareaid="ustc", invoiceidentifier=25, isposted="No")
    put(f"{system}freetextinvoicelines", "ustc|1|25", dataareaid="ustc", linenumber="1", parentrecid=25,
        transactioncurrencyamount="5.00")
    for key, kind, amount in ((20, "Sales", "100.00"), (30, "Payment", "-100.00")):
        put(f"{system}custtrans", f"ustc|{key}", dataareaid="ustc", sourcekey=key, transtype=kind, amountcur=amount,
            amountmst=amount, currencycode="USD", voucher=f"CPY-{key}")
    for journal, posted, voucher in (("B1", "Yes", "CPY-30"), ("B2", "No", "CPY-31")):
        put(f"{system}customerpaymentjournalheaders", f"ustc|{journal}", dataareaid="ustc", journalbatchnumber=journal,
            isposted=posted)
        put(f"{system}customerpaymentjournallines", f"ustc|{journal}|1", dataareaid="ustc", journalbatchnumber=journal,
            linenumber="1", voucher=voucher, accounttype="Cust", currencycode="USD", creditamount="100.00")
    for key, record, offset, amount in ((40, 20, 30, "100.00"), (41, 30, 20, "-100.00")):
        put(f"{system}custsettlement", f"ustc|{key}", dataareaid="ustc", sourcekey=key, transrecid=record,
            offsetrecid=offset, settleamountcur=amount)
    put(f"{system}generaljournalentry", "50", sourcekey=50, subledgervoucher="ARI-1", ledger=7,
        subledgervoucherdataareaid="ustc", postinglayer="Current", accountingdate="2026-05-04")
    for key, posting, is_credit, amount in ((51, "CustBalance", "No", "100.00"),
                                            (52, "SalesRevenue", "Yes", "-100.00")):
        put(f"{system}generaljournalaccountentry", str(key), sourcekey=key, generaljournalentry=50, mainaccount=4,
            postingtype=posting, iscredit=is_credit, accountingcurrencyamount=amount, transactioncurrencyamount=amount)
