"""Patients of the health-care unit, all of them made up and named so: person accounts, plans, what these still cover.

Each payer's account has one to three patients. Their first plan is the payer's; some have a second one with another
payer, and some an old one that ended before anything happened: who pays is told by PriorityOrder and the dates. An
interface from the EHR writes plans and coverage again each night: stamps move and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.clock import DAY, FIRST_DAY, date_text, stamp_text
from simulator.customers import Record
from simulator.ids import salesforce_id
from simulator.plan import World
from simulator.salesforce_master import COLUMNS, OWNERS
from simulator.schema import names_in

_PERSONS = 1 << 40  # ids of persons begin here: the numbers of accounts are smaller
_BEGIN = stamp_text((FIRST_DAY - 1_000) * DAY + 50_000)
_NIGHT = 2 * 3600

AUDIT = names_in("CreatedDate CreatedById LastModifiedDate LastModifiedById SystemModstamp IsDeleted")
ACCOUNT = (*COLUMNS["salesforce__Account"], *names_in("""
    FirstName LastName PersonContactId PersonBirthdate PersonEmail PersonMailingStreet
"""))
PURCHASER_PLAN = names_in("""
    Id Name PlanNumber PlanType PlanStatus LineOfBusiness PayerId EffectiveFrom EffectiveTo IsVerifiable Notes OwnerId
    SourceSystem SourceSystemIdentifier SourceSystemModified
""") + AUDIT
MEMBER_PLAN = names_in("""
    Id Name MemberId SubscriberId PayerId PlanId MemberNumber GroupNumber PrimarySecondaryTertiary PriorityOrder
    RelationshipToSubscriber Status VerificationStatus EffectiveFrom EffectiveTo Notes OwnerId SourceSystem
    SourceSystemIdentifier SourceSystemModified
""") + AUDIT
COVERAGE = names_in("""
    Id Name MemberPlanId MemberId BenefitPeriodStartDate BenefitPeriodEndDate VerificationDate IsActive CoverageType
    CurrencyIsoCode IndividualInNetworkDeductibleLimit IndividualInNetworkDeductibleRemaining
    IndividualOutofNetworkDeductibleRemain PrimaryCareCopay SpecialistCopay InNetworkCoinsurancePercentage BenefitNotes
    OwnerId SourceSystem SourceSystemIdentifier SourceSystemModified
""") + AUDIT


def patients(account: Record) -> list[str]:
    """The ids of an account's patients."""
    return [_person(account, place) for place in range(1 + account.number % 3)]


def person_rows(account: Record) -> Iterator[tuple[str, tuple]]:
    """(table, row) of an account's patients: person accounts."""
    for place, key in enumerate(patients(account)):
        number = account.number * 4 + place
        told = {
            "Id": key, "Name": f"Testpatient Fake-{number:06d}", "FirstName": "Testpatient",
            "LastName": f"Fake-{number:06d}", "PersonContactId": salesforce_id("003", _PERSONS + number),
            "PersonBirthdate": "1900-01-01", "PersonEmail": f"fake-{number}@patient.example",
            "PersonMailingStreet": f"{number} Nowhere Street", "BillingStreet": f"{number} Nowhere Street",
            "Phone": f"+00 {number:07d}", "IsPersonAccount": 1, "OwnerId": OWNERS[0], **audit(_BEGIN),
        }
        yield "health_cloud__Account", tuple(told.get(name) for name in ACCOUNT)


def plan_rows(world: World, now: int) -> Iterator[tuple[str, tuple]]:
    """(table, row) of all plans and of what they cover, as the last night's run left them."""
    night = (now // DAY) * DAY + _NIGHT if now % DAY > _NIGHT else (now // DAY - 1) * DAY + _NIGHT
    known = world.customers.known
    for at, party in enumerate(known):
        other = known[(at * 7 + 3) % len(known)].crm[0]
        for account in party.crm:
            yield _row("PurchaserPlan", PURCHASER_PLAN, night, account.number, {
                "Id": plan_id(account), "Name": f"Plan {account.number:06d}", "PlanNumber": f"PL-{account.number:06d}",
                "PlanType": "PPO", "PlanStatus": "Active", "LineOfBusiness": "Commercial", "PayerId": account.id,
                "EffectiveFrom": date_text(FIRST_DAY - 900), "IsVerifiable": 1, "Notes": "Fake plan notes"})
            for place, person in enumerate(patients(account)):
                yield from _plans_of(account, other, place, person, party.currency, night)


def _plans_of(
    account: Record, other: Record, place: int, person: str, currency: str, night: int
) -> Iterator[tuple[str, tuple]]:
    number = account.number * 4 + place
    told = [("Primary", 1, account, FIRST_DAY - 900, None)]
    if number % 3 == 0 and other is not account:
        told.append(("Secondary", 2, other, FIRST_DAY - 900, None))
    if number % 5 == 0 and other is not account:
        told.append(("Primary", 1, other, FIRST_DAY - 900, FIRST_DAY - 600))
    for order, (word, priority, payer, first, last) in enumerate(told):
        key = salesforce_id("0hM", number * 4 + (3 - order))  # the plan that pays first does not come first
        yield _row("MemberPlan", MEMBER_PLAN, night, number * 4 + order, {
            "Id": key, "Name": f"Testpatient Fake-{number:06d} {word}", "MemberId": person, "SubscriberId": person,
            "PayerId": payer.id, "PlanId": plan_id(payer), "MemberNumber": f"FAKE-{number:08d}",
            "PrimarySecondaryTertiary": word, "PriorityOrder": priority, "RelationshipToSubscriber": "Self",
            "Status": "Inactive" if last else "Active", "VerificationStatus": "Verified",
            "EffectiveFrom": date_text(first), "EffectiveTo": date_text(last) if last else None, "Notes": "Fake notes"})
        if order == 0:
            yield _row("CoverageBenefit", COVERAGE, night, number, {
                "Id": salesforce_id("0hB", number), "Name": f"Coverage Fake-{number:06d}", "MemberPlanId": key,
                "MemberId": person, "BenefitPeriodStartDate": "2026-01-01", "BenefitPeriodEndDate": "2026-12-31",
                "VerificationDate": _BEGIN, "IsActive": 1, "CoverageType": "Medical", "CurrencyIsoCode": currency,
                "IndividualInNetworkDeductibleLimit": "1500", "IndividualInNetworkDeductibleRemaining":
                str(number % 1500), "IndividualOutofNetworkDeductibleRemain": "3000", "PrimaryCareCopay": "25",
                "SpecialistCopay": "50", "InNetworkCoinsurancePercentage": "20", "BenefitNotes": "Fake notes"})


def plan_id(payer: Record) -> str:
    """The id of the plan that a payer sells."""
    return salesforce_id("0hP", payer.number)


def audit(created: str, changed: str | None = None, deleted: bool = False) -> dict[str, object]:
    """Who made and changed a record, and when."""
    return {"CreatedDate": created, "CreatedById": OWNERS[0], "LastModifiedDate": changed or created,
            "LastModifiedById": OWNERS[0], "SystemModstamp": changed or created, "IsDeleted": int(deleted)}


def _row(table: str, names: tuple[str, ...], night: int, number: int, told: dict[str, object]) -> tuple[str, tuple]:
    moved, known_as = stamp_text(night), f"{table[:2].upper()}{number:09d}"
    all_told = {"OwnerId": OWNERS[0], "SourceSystem": "EHR", "SourceSystemIdentifier": known_as,
                "SourceSystemModified": moved, **audit(_BEGIN, moved), **told}
    return f"health_cloud__{table}", tuple(all_told.get(name) for name in names)


def _person(account: Record, place: int) -> str:
    return salesforce_id("001", _PERSONS + account.number * 4 + place)
