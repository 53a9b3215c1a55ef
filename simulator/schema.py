"""Which tables `sim.db` has: the vendors' own names, with the fields that a strict server should know.

Values are in one canonical text whatever the vendor's own form is; the servers format them as the vendor does:

    id       Salesforce: 18 characters of text. NetSuite: INTEGER, so that its order is numeric.
    text     text; absent = NULL, never ''
    integer  INTEGER
    amount   text, exact decimal in the currency's minor units ('1234.50', JPY '1234', KWD '1.234'); quantities likewise
    rate     text, exact decimal, trailing zeros trimmed
    boolean  0 or 1
    date     'YYYY-MM-DD'
    stamp    'YYYY-MM-DD HH:MM:SS', UTC
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from simulator import systems

Kind = Literal["id", "text", "integer", "amount", "rate", "boolean", "date", "stamp"]
KINDS = {"id", "text", "integer", "amount", "rate", "boolean", "date", "stamp"}


@dataclass(frozen=True)
class Field:
    """A vendor's field; `reference` is the object that an id points to, where the vendor's schema says so."""

    name: str
    kind: Kind
    reference: str | None = None


@dataclass(frozen=True)
class Table:
    """`sim.db` calls it `<system>__<name>`. `key` is unique; `indexes` are what a server filters by.

    shared: a row may be part of several chains, which all say the same of it; it is never taken back.
    """

    system: str
    name: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    shared: bool = False

    @property
    def sql_name(self) -> str:
        """The table's name in SQLite (quote it: `Order` is a reserved word)."""
        return f"{self.system}__{self.name}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Field names in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """The field of that exact name. KeyError when unknown."""
        return next(field for field in self.fields if field.name == name)

    def ddl(self) -> str:
        """CREATE TABLE. Clustered by key, so that ids, which are random, decide the physical order."""
        of_id = "INTEGER" if self.system == "netsuite" else "TEXT"
        sql_type = {"integer": "INTEGER", "boolean": "INTEGER", "id": of_id}
        columns = ", ".join(f'"{f.name}" {sql_type.get(f.kind, "TEXT")}' for f in self.fields)
        key = ", ".join(f'"{name}"' for name in self.key)
        return f'CREATE TABLE "{self.sql_name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID'

    def index_ddl(self) -> list[str]:
        """CREATE INDEX, for after the rows are in."""
        made = []
        for index in self.indexes:
            named = ", ".join(f'"{name}"' for name in index)
            made.append(f'CREATE INDEX "{self.sql_name}__{"_".join(index)}" ON "{self.sql_name}" ({named})')
        return made


# table | key | indexes (";" between, "," within) | name:kind …
_NETSUITE = """
transaction | id | lastmodifieddate,id;type | id:id tranid:text transactionnumber:text type:text abbrevtype:text
 recordtype:text status:text approvalstatus:integer entity:id currency:id postingperiod:id otherrefnum:text
 externalid:text memo:text terms:id reversal:id source:text exchangerate:rate foreigntotal:amount
 foreignamountpaid:amount foreignamountunpaid:amount foreignpaymentamountused:amount
 foreignpaymentamountunused:amount posting:boolean voided:boolean isreversal:boolean reversaldate:date
 reversaldefer:boolean journaltype:text employee:id customform:id createdby:id lastmodifiedby:id trandate:date
 duedate:date closedate:date createddate:stamp lastmodifieddate:stamp
transactionline | uniquekey | transaction | uniquekey:id transaction:id id:id linesequencenumber:integer
 accountinglinetype:text transactionlinetype:text item:id itemtype:text entity:id subsidiary:id department:id
 class:id location:id createdfrom:id billingschedule:id memo:text quantity:amount quantitybilled:amount
 quantityshiprecv:amount rate:rate foreignamount:amount netamount:amount creditforeignamount:amount
 debitforeignamount:amount foreignamountpaid:amount foreignamountunpaid:amount costestimate:amount
 estgrossprofit:amount expenseaccount:id price:id paymentmethod:id revenueelement:id amortizstartdate:date
 amortizationenddate:date mainline:boolean taxline:boolean iscogs:boolean isinventoryaffecting:boolean
 isfxvariance:boolean transactiondiscount:boolean donotdisplayline:boolean isclosed:boolean isbillable:boolean
 isrevrectransaction:boolean eliminate:boolean linelastmodifieddate:stamp
transactionaccountingline | transaction,accountingbook,transactionline | lastmodifieddate |
 accountingbook:id transaction:id transactionline:id account:id exchangerate:rate amount:amount debit:amount
 credit:amount netamount:amount amountpaid:amount amountunpaid:amount paymentamountused:amount
 paymentamountunused:amount amountlinked:amount posting:boolean processedbyrevcommit:boolean lastmodifieddate:stamp
nexttransactionlinelink | previousdoc,previousline,nextdoc,nextline,linktype | lastmodifieddate;nextdoc |
 previousdoc:id previousline:id previoustype:text previousdate:date nextdoc:id nextline:id nexttype:text
 nextdate:date linktype:text foreignamount:amount lastmodifieddate:stamp
customer | id | lastmodifieddate,id | id:id entityid:text companyname:text altname:text firstname:text lastname:text
 salutation:text email:text phone:text fax:text url:text parent:id currency:id terms:id category:id pricelevel:id
 salesrep:id territory:id searchstage:text entitystatus:id accountnumber:text resalenumber:text externalid:text
 comments:text language:text vatregnumber:text creditlimit:amount receivablesaccount:id defaultbillingaddress:id
 defaultshippingaddress:id isperson:boolean isinactive:boolean duplicate:boolean datecreated:stamp
 lastmodifieddate:stamp
customersubsidiaryrelationship | id | entity | id:id entity:id subsidiary:id isprimarysub:boolean
customeraddressbook | internalid | entity | internalid:id entity:id addressbookaddress:id label:text
 defaultbilling:boolean defaultshipping:boolean
customeraddressbookentityaddress | nkey | | nkey:id recordowner:id addressee:text attention:text addr1:text addr2:text
 addr3:text city:text state:text dropdownstate:text zip:text country:text addrphone:text addrtext:text
 override:boolean lastmodifieddate:stamp
item | id | lastmodifieddate,id | id:id itemid:text fullname:text displayname:text description:text itemtype:text
 subtype:text upccode:text mpn:text parent:id class:id department:id location:id subsidiary:text incomeaccount:id
 expenseaccount:id assetaccount:id deferralaccount:id cost:amount externalid:text isinactive:boolean
 createddate:stamp lastmodifieddate:stamp
account | id | | id:id acctnumber:text accttype:text fullname:text accountsearchdisplayname:text
 displaynamewithhierarchy:text description:text parent:id currency:id generalrate:text cashflowrate:text
 sspecacct:text subsidiary:text deferralacct:id externalid:text issummary:boolean isinactive:boolean
 eliminate:boolean inventory:boolean revalue:boolean includechildren:boolean lastmodifieddate:stamp
accounttype | id | | id:text longname:text seqnum:integer balancesheet:boolean left:boolean
accountingbook | id | | id:id name:text externalid:text isprimary:boolean isadjustmentonly:boolean
 isconsolidated:boolean lastmodifieddate:stamp
accountingperiod | id | | id:id periodname:text parent:id startdate:date enddate:date closedondate:stamp
 isposting:boolean isadjust:boolean isquarter:boolean isyear:boolean isinactive:boolean closed:boolean
 arlocked:boolean aplocked:boolean alllocked:boolean allownonglchanges:boolean lastmodifieddate:stamp
subsidiary | id | | id:id name:text fullname:text legalname:text country:text currency:id parent:id email:text
 externalid:text state:text tranprefix:text url:text federalidnumber:text fiscalcalendar:id mainaddress:id
 iselimination:boolean isinactive:boolean lastmodifieddate:stamp
currency | id | | id:id symbol:text name:text displaysymbol:text currencyprecision:integer exchangerate:rate
 externalid:text isbasecurrency:boolean isinactive:boolean lastmodifieddate:stamp
currencyrate | id | basecurrency,transactioncurrency,effectivedate | id:id basecurrency:id transactioncurrency:id
 effectivedate:date exchangerate:rate
deletedrecord | recordid,recordtypeid,deleteddate | deleteddate | recordid:id recordtypeid:id type:text
 scriptid:text name:text deletedby:id context:text iscustomrecord:boolean deleteddate:stamp
"""

_SALESFORCE_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "OpportunityLineItem": (("OpportunityId",),),
    "Order": (("OpportunityId",),),
    "OrderItem": (("OrderId",),),
    "ClaimItem": (("ClaimId",),),
}


@cache
def tables() -> dict[str, Table]:
    """All tables of all systems by their name in SQLite."""
    found = [table for system in systems.known() for table in systems.renders(system).tables()]
    return {table.sql_name: table for table in found}


@cache
def of_system(system: str) -> tuple[Table, ...]:
    """The tables of the systems whose fields are listed here, or beside this file as `<system>_fields.json`."""
    return tuple(_netsuite() if system == "netsuite" else _objects(system))


def parsed(system: str, text: str) -> list[Table]:
    """Tables of a text like `_NETSUITE`: `table | key | indexes | name:kind …`, a block per table."""
    found = []
    for block in _blocks(text):
        name, key, indexes, words = (part.strip() for part in block.split("|"))
        fields = tuple(Field(*word.split(":")) for word in words.split())
        split = tuple(tuple(index.split(",")) for index in indexes.split(";") if index)
        found.append(Table(system, name, tuple(key.split(",")), fields, split))
    return found


def names_in(text: str) -> tuple[str, ...]:
    """The words of a list of column names."""
    return tuple(text.split())


def table(system: str, name: str) -> Table:
    """The table of that system and vendor name (NetSuite's in lower case). KeyError when unknown."""
    return tables()[f"{system}__{name}"]


def _netsuite() -> list[Table]:
    return parsed("netsuite", _NETSUITE)


def _blocks(text: str) -> list[str]:
    blocks: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def _objects(system: str) -> list[Table]:
    """Objects of an organisation on Salesforce's platform."""
    objects = json.loads(Path(__file__).with_name(f"{system}_fields.json").read_text(encoding="utf-8"))
    found = []
    for name, fields in objects.items():
        stamps = (("SystemModstamp", "Id"),)
        known = tuple(Field(*field) for field in fields)
        found.append(Table(system, name, ("Id",), known, stamps + _SALESFORCE_INDEXES.get(name, ())))
    return found
