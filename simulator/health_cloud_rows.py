"""What happened, as Health Cloud shows it: an encounter and its claim for each deal, by what a payer approves.

A deal is a Claim: submitted midway, approved or denied when the deal closes. What the ERP's order refers to is the
ClinicalEncounter, by its id or by the number that the EHR gave it. Claim and encounter have no lookup to one another:
both name their Case. Approved amounts by product stand in fields of the organisation's own on ClaimItem, since the
standard object has none. Payers approve less than was asked for of some claims. What the ERP received for a claim is
shown again as ClaimPaymentSummary.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator import health_cloud_members as members
from simulator import salesforce_master
from simulator.clock import DAY, FIRST_DAY, date_text, stamp_text
from simulator.customers import Party
from simulator.documents import Chain, Deal, Doc, gone, lines_at, midway
from simulator.health_cloud_members import AUDIT, audit
from simulator.ids import salesforce_id
from simulator.money import CURRENCIES, amount_text, decimal_text
from simulator.plan import LINE_BITS, World
from simulator.salesforce_master import OWNERS
from simulator.schema import Table, names_in, of_system

_UNASKED = 9_000_000_000  # numbers of encounters that no order names begin here
ENCOUNTER = names_in("""
    Id Name PatientId CaseId CurrencyIsoCode StartDate EndDate Status Category ServiceType OwnerId SourceSystem
    SourceSystemIdentifier SourceSystemModified ERP_Order_ID__c
""") + AUDIT
CLAIM = names_in("""
    Id Name AccountId CaseId ClaimType ClaimReason Status IsClosed CurrencyIsoCode Selling_Entity__c EstimatedAmount
    ApprovedAmount ActualAmount InitiationDate FinalizedDate Summary OwnerId SourceSystem SourceSystemIdentifier
""") + AUDIT
ITEM = names_in("""
    Id Name ClaimId Category ProductId CurrencyIsoCode Quantity__c Approved_Amount__c Description
""") + AUDIT
PAYMENT = names_in("""
    Id Name ClaimId CurrencyIsoCode PaymentAmount PaymentDate PaymentIdentifier PaymentStatus
""") + AUDIT
PROGRAM = names_in("""
    Id Name SponsorId Status Category StartDate EndDate CurrencyIsoCode BudgetAmount TargetEnrolleeCount
    CurrentEnrolleeCount OwnerId
""") + AUDIT
PROGRAM_PRODUCT = names_in("Id Name CareProgramId ProductId CurrencyIsoCode CareProgramPrice Status OwnerId") + AUDIT
ENROLLEE = names_in("Id Name AccountId CareProgramId PrimaryMemberPlanId Status IsActive OwnerId") + AUDIT
_BEGIN = stamp_text((FIRST_DAY - 400) * DAY + 40_000)


class HealthCloud:
    """The CRM's records of a health-care company; see `systems.System`."""

    system, role = "health_cloud", "crm"
    columns = {f"health_cloud__{name}": columns for name, columns in {
        "Account": members.ACCOUNT, "Product2": salesforce_master.COLUMNS["salesforce__Product2"],
        "PurchaserPlan": members.PURCHASER_PLAN, "MemberPlan": members.MEMBER_PLAN, "CoverageBenefit": members.COVERAGE,
        "ClinicalEncounter": ENCOUNTER, "Claim": CLAIM, "ClaimItem": ITEM, "ClaimPaymentSummary": PAYMENT,
        "CareProgram": PROGRAM, "CareProgramProduct": PROGRAM_PRODUCT, "CareProgramEnrollee": ENROLLEE,
    }.items()}

    def __init__(self, world: World) -> None:
        self._world, self._products = world, world.products
        self._lines, self._numbers = world.slots["crm line"], world.slots["crm"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """The objects that the organisation has."""
        return of_system("health_cloud")

    @staticmethod
    def account_id(number: int) -> str:
        """An Account's id."""
        return salesforce_id("001", number)

    @staticmethod
    def deal_id(number: int) -> str:
        """A Claim's id."""
        return salesforce_id("0hC", number)

    @staticmethod
    def order_id(number: int) -> str:
        """A ClinicalEncounter's id."""
        return salesforce_id("0hE", number)

    @staticmethod
    def contract_id(number: int) -> str:
        """Of a contract, which is not shown here."""
        return salesforce_id("800", number)

    def key_id(self, record: Deal | Doc) -> str:
        """A claim is named by its id."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of products, plans and programmes."""
        for _, row in salesforce_master.product_rows(self._world, now):
            yield "health_cloud__Product2", row
        yield from members.plan_rows(self._world, now)
        yield from self._programmes()

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's accounts and of their patients."""
        nothing = (None,) * (len(members.ACCOUNT) - len(salesforce_master.COLUMNS["salesforce__Account"]))
        for _, row in salesforce_master.account_rows(party, now):
            yield "health_cloud__Account", (*row, *nothing)
        for account in party.crm:
            yield from members.person_rows(account)

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of all CRM records of the chain that are seen at `now`."""
        for deal in chain.deals:
            if deal.seen(now):
                yield self._encounter(deal, now)
            if deal.seen(now) and midway(deal) < now:
                yield from self._claim(deal, list(_payments(chain, deal, now)), now)

    def _encounter(self, deal: Deal, now: int) -> tuple[str, tuple]:
        order, start = deal.order, deal.created
        synced = order.synced if order and order.synced and order.synced[0] < now else None
        persons = members.patients(deal.account)
        return _row("ClinicalEncounter", ENCOUNTER, {
            "Id": order.id if order else self.order_id(self._numbers(deal.slot)),
            "Name": f"Testpatient Fake-{deal.account.number * 4:06d}: visit",
            "PatientId": persons[deal.slot % len(persons)], "CaseId": self._case(deal),
            "CurrencyIsoCode": deal.currency, "StartDate": stamp_text(start),
            "EndDate": stamp_text(start + 3_600 * (1 + deal.slot % 6)), "Status": "Finished", "Category": "Outpatient",
            "ServiceType": "Fake service", "SourceSystem": "EHR",
            "SourceSystemIdentifier": order.number if order else str(_UNASKED + self._numbers(deal.slot)),
            "SourceSystemModified": stamp_text(start), "ERP_Order_ID__c": str(synced[1]) if synced else None,
            **audit(stamp_text(start), stamp_text(max(start, synced[0] if synced else 0)))})

    def _claim(self, deal: Deal, paid: list[tuple[Doc, Doc, int]], now: int) -> Iterator[tuple[str, tuple]]:
        begun, deleted = midway(deal), gone(deal, now)
        final = deal.outcome != "open" and deal.closed < now
        won = final and deal.outcome == "won"
        amended = deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0
        changed = max(begun, deal.closed if final else 0, amended, *(payment.created for payment, _, _ in paid), 0)
        told = audit(stamp_text(begun), stamp_text(deal.deleted if deleted else changed), deleted)  # type: ignore[arg-type]
        decimals, net = CURRENCIES[deal.currency].decimals, deal.net(now)
        cut = net * (deal.slot % 5) // 25 if deal.slot % 3 == 0 else 0  # asked for, and not approved
        yield _row("Claim", CLAIM, {
            "Id": deal.id, "Name": f"CLM-{self._numbers(deal.slot):09d}", "CaseId": self._case(deal),
            "AccountId": members.patients(deal.account)[0], "ClaimType": "Professional", "ClaimReason": "Fake reason",
            "Status": ("Approved" if won else "Denied") if final else "Submitted", "IsClosed": int(final),
            "CurrencyIsoCode": deal.currency, "Selling_Entity__c": deal.party.entity,
            "EstimatedAmount": amount_text(net + cut if deal.outcome == "won" else net, decimals),
            "ApprovedAmount": (amount_text(net if won else 0, decimals)) if final else None,
            "ActualAmount": amount_text(sum(p[2] for p in paid if p[0].currency == deal.currency), decimals),
            "InitiationDate": stamp_text(begun), "FinalizedDate": stamp_text(deal.closed) if final else None,
            "Summary": "Fake summary", "SourceSystem": "RCM",
            "SourceSystemIdentifier": f"R{self._numbers(deal.slot):09d}", **told})
        if not deal.header_only and (won or deleted):
            for number, line in enumerate(lines_at(deal, now)):
                yield _row("ClaimItem", ITEM, {
                    "Id": salesforce_id("0hI", self._lines((deal.slot << LINE_BITS) + number)), "ClaimId": deal.id,
                    "Name": f"{number + 1}", "ProductId": self._products[line.product].id,
                    "CurrencyIsoCode": deal.currency, "Quantity__c": decimal_text(line.quantity, 5),
                    "Approved_Amount__c": amount_text(line.amount, decimals), "Description": "Fake text", **told})
        for payment, bill, amount in paid:
            yield _row("ClaimPaymentSummary", PAYMENT, {
                "Id": salesforce_id("0hS", self._lines((payment.slot << LINE_BITS) + bill.slot % (1 << LINE_BITS))),
                "ClaimId": deal.id, "Name": f"PAY-{payment.slot:09d}", "CurrencyIsoCode": payment.currency,
                "PaymentAmount": amount_text(amount, CURRENCIES[payment.currency].decimals),
                "PaymentDate": date_text(payment.day), "PaymentIdentifier": payment.reference, "PaymentStatus": "Paid",
                **audit(stamp_text(payment.created))})

    def _programmes(self) -> Iterator[tuple[str, tuple]]:
        """Programmes of a sponsor, each with a product and two patients."""
        known = self._world.customers.known
        for number, party in enumerate(known[:3], 1):
            account, key = party.crm[0], salesforce_id("0hG", number)
            yield _row("CareProgram", PROGRAM, {
                "Id": key, "Name": f"Programme {number}", "SponsorId": account.id, "Status": "Active",
                "Category": "Wellness", "StartDate": "2026-01-01", "CurrencyIsoCode": party.currency,
                "BudgetAmount": f"{number}0000", "TargetEnrolleeCount": 10, "CurrentEnrolleeCount": 1})
            yield _row("CareProgramProduct", PROGRAM_PRODUCT, {
                "Id": salesforce_id("0hQ", number), "Name": f"{number}", "CareProgramId": key,
                "ProductId": self._products[number].id, "CurrencyIsoCode": party.currency, "CareProgramPrice": "99",
                "Status": "Active"})
            yield _row("CareProgramEnrollee", ENROLLEE, {
                "Id": salesforce_id("0hR", number), "Name": f"Testpatient Fake-{number}", "CareProgramId": key,
                "AccountId": members.patients(account)[0], "Status": "Active", "IsActive": 1})

    def _case(self, deal: Deal) -> str:
        return salesforce_id("500", self._numbers(deal.slot))


def _payments(chain: Chain, deal: Deal, now: int) -> Iterator[tuple[Doc, Doc, int]]:
    """(payment, bill, amount) of what was paid for a deal."""
    for payment in chain.docs:
        if payment.kind == "CustPymt" and payment.seen(now):
            for bill, amount in payment.applied:
                if bill.seen(now) and bill.source is not None and bill.source.deal is deal:
                    yield payment, bill, amount


def _row(table: str, names: tuple[str, ...], told: dict[str, object]) -> tuple[str, tuple]:
    told = {"OwnerId": OWNERS[0], **audit(_BEGIN), **told}
    return f"health_cloud__{table}", tuple(told.get(name) for name in names)
