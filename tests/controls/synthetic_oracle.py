"""Oracle's part of the warehouse in miniature: an invoice of 119.00, paid and credited in part, and its journal."""

from __future__ import annotations

from collections.abc import Callable


def fill(put: Callable[..., None]) -> None:
    """One sound row at least in every raw table; `put(table, key, **columns)`."""
    head = {"transactiondate": "2026-05-04", "accountingdate": "2026-05-04", "businessunit": "Stores BU",
            "conversionrate": "1.1"}
    put("oracle__receivablesinvoices", "20", customertransactionid="20", transactiontype="Invoice",
        invoicestatus="Complete", invoicecurrencycode="EUR", enteredamount="119",
        invoicebalanceamount="58", **head)
    put("oracle__receivablesinvoicelines", "21", customertransactionlineid="21", customertransactionid="20",
        linenumber=1, lineamount="100")
    put("oracle__receivablesinvoicetaxlines", "21|DE", customertransactionlineid="21", customertransactionid="20",
        taxratecode="DE", taxamount="19")
    for key, kind, amount in (("1", "Receivable", "119"), ("2", "Revenue", "100"), ("3", "Tax", "19")):
        put("oracle__receivablesinvoicedistributions", key, distributionid=key, customertransactionid="20",
            accountclass=kind, amount=amount, accountedamount=amount)
    put("oracle__receivablesinvoiceinstallments", "25", installmentid="25", customertransactionid="20",
        installmentduedate="2026-06-03", originalamount="119", installmentbalancedue="58",
        installmentamountadjusted="-1")
    put("oracle__transactionadjustments", "26", adjustmentid="26", accountid="7", adjustmentamount="-1",
        adjustmenttype="Invoice", referencetransactionid="20")
    put("oracle__receivablescreditmemos", "30", customertransactionid="30", transactiontype="Credit Memo",
        creditmemostatus="Complete", creditmemocurrency="EUR", enteredamount="-10", **head)
    put("oracle__receivablescreditmemolines", "31", customertransactionlineid="31", customertransactionid="30",
        lineamountcredit="-10")
    for key, kind in (("4", "Receivable"), ("5", "Revenue")):
        put("oracle__receivablescreditmemodistributions", key, distributionid=key, customertransactionid="30",
            accountclass=kind, amount="-10", accountedamount="-10")
    put("oracle__standardreceipts", "40", standardreceiptid="40", status="Applied", currency="EUR", amount="50")
    put("oracle__receivablescustomeraccountactivities", "7", accountid="7", accountnumber="1007")
    put("oracle__standardreceiptapplications", "41", applicationid="41", standardreceiptid="40", accountid="7",
        applicationamount="50", referencetransactionid="20")
    put("oracle__creditmemoapplications", "42", applicationid="42", creditmemoid="30", accountid="7",
        applicationamount="10", referencetransactionid="20")
    put("oracle__accounts", "8", partyid="8", organizationname="Acme")
    put("oracle__customeraccountslov", "7", customeraccountid="7", accountnumber="1007", partyid="8")
    put("oracle__customeraccountsiteslov", "9", customeraccountsiteid="9", customeraccountid="7")
    put("oracle__itemsv2", "V|3", itemid="3", organizationcode="V", itemnumber="A")
    put("oracle__salesordersfororderhub", "10", headerid="10", ordernumber="100010", statuscode="OPEN")
    put("oracle__salesorderlines", "10|11", headerid="10", lineid="11", extendedamount="100")
    put("oracle__salesordertotals", "10|T", headerid="10", totalcode="QP_TOTAL_TAX", totalamount="19")
    put("oracle__journalbatches", "50", jebatchid="50", status="P", userjesourcename="Receivables",
        runningtotalaccounteddr="119")
    put("oracle__journalheaders", "51", jeheaderid="51", jebatchid="50", ledgername="Stores", periodname="May-26")
    for number, account, debit, credit in ((1, "101.12110", "119", None), (2, "101.41110", None, "119")):
        put("oracle__journallines", f"51|{number}", jebatchid="50", jeheaderid="51", jelinenumber=number,
            accountcombination=account, accounteddr=debit, accountedcr=credit)
    for account, amount in (("101.12110", "119"), ("101.41110", "-119")):
        put("oracle__ledgerbalances", f"Stores|May-26|{account}", ledgername="Stores", periodname="May-26",
            detailaccountcombination=account, beginningbalance="0", periodactivity=amount, endingbalance=amount)
    put("oracle__ledgerslov", "1", ledgerid="1", name="Stores", currencycode="GBP")
    put("oracle__accountingperiodstatuslov", "101|1|May-26", applicationid="101", ledgerid="1", periodname="May-26",
        startdate="2026-05-01", enddate="2026-05-31")
    for low, high, rate in (("EUR", "GBP", "0.85"), ("GBP", "EUR", "1.1764705882")):
        put("oracle__currencyrates", f"{low}|{high}", fromcurrency=low, tocurrency=high, conversionrate=rate,
            userconversiontype="Corporate", conversiondate="2026-05-04")
    put("oracle__finbusinessunitslov", "2", businessunitid="2", businessunitname="Stores BU", primaryledgerid="1")
    put("oracle__legalentitieslov", "3", legalentityid="3", name="Stores", legalentityidentifier="1001")
    put("oracle__inventoryonhandbalances", "V|A", organizationcode="V", itemnumber="A", primaryonhandquantity="5")
    put("oracle__journalbatch", "60", journalbatchjebatchid="60", journalbatchstatus="P",
        journalbatchrunningtotalaccounteddr="5")
    put("oracle__journalheader", "61", jeheaderid="61", gljeheadersjebatchid="60", gljeheadersledgerid="1",
        gljeheadersperiodname="Jun-26")
    put("oracle__codecombination", "70", codecombinationcodecombinationid="70")
    for number, debit, credit in ((1, "5", None), (2, None, "5")):
        put("oracle__journalline", f"61|{number}", jeheaderid="61", jelinenum=number, gljelinescodecombinationid="70",
            gljelinesaccounteddr=debit, gljelinesaccountedcr=credit)
    for table in ("dailyrate", "paymentschedule", "receiptheader", "receivableapplication", "transactiondistribution",
                  "transactionheader", "transactionline", "journalbatch", "journalheader", "journalline"):
        if not table.startswith("journal"):
            put(f"oracle__{table}", "1")
        put(f"oracle__{table}keys", "1")
    put("oracle__transactiontype", "1")
