"""A set by pages and the same set by package: one content. And what the stand-in for data management does not take."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.company import generate
from simulator.dataverse_api import DataverseEnvironment
from simulator.fno_api import FinanceEnvironment
from simulator.fno_packages import ACTIONS, Project
from simulator.serve import Endpoints, start
from tests.integration.test_simulator_dynamics import FINANCE, asked, connection, everything, stream, token
from tieout.errors import SourceError, UnsafeLinkError
from tieout.extract.odata import OdataExtractor
from tieout.landing.ledger import Totals
from tieout.landing.parse import Parser
from tieout.landing.quarantine import Spool
from tieout.landing.shape import Shaper
from tieout.spec import Connection, Stream

SETS = {
    "LegalEntities": "LegalEntities", "MainAccounts": "MainAccounts", "Customers": "CustomersV3",
    "ExchangeRates": "ExchangeRates", "SalesOrderHeaders": "SalesOrderHeadersV3", "SalesOrderLines": "SalesOrderLines",
    "CustInvoiceJour": "CustInvoiceJourBiEntities", "FreeTextInvoiceLines": "FreeTextInvoiceLines",
    "CustTrans": "CustTransBiEntities", "CustomerPaymentJournalHeaders": "CustomerPaymentJournalHeaders",
    "CustomerPaymentJournalLines": "CustomerPaymentJournalLines",
    "GeneralJournalAccountEntry": "GeneralJournalAccountEntryBiEntities",
}
JOURNALS = "CustomerPaymentJournalHeaders"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("technology")
    generate(folder, seed=5, size="1k", level=1, of="technology")
    return folder


@pytest.fixture(scope="module")
def served(company: Path) -> Iterator[Endpoints]:
    with start(company, dynamics_sales=DataverseEnvironment.calm()) as found:
        yield found


@pytest.fixture
def vendors(served: Endpoints) -> Endpoints:
    """Finance on its best day, whatever the test before made of it."""
    served.apps["dynamics_finance"].environment = FinanceEnvironment.calm()
    return served


def packaged(vendors: Endpoints, *streams: str, **options: Any) -> Connection:
    told = {"packages": {name: f"Tieout {SETS[name]}" for name in streams},
            "package_hosts": [vendors.urls["dynamics_finance"]], **options}
    return connection(vendors, FINANCE, **told)


def opened(vendors: Endpoints, given: Connection) -> OdataExtractor:
    return OdataExtractor(given, vendors.secrets[FINANCE], sleep=lambda _: None)


def landed(source: OdataExtractor, given: Connection, wanted: Stream) -> tuple[list[tuple], dict]:
    """The stream as it would be stored: keys, typed values, and whatever is left over."""
    shaper, found = Shaper(wanted, given.zone, Totals(()), Spool()), []
    parser = Parser(given, wanted)
    for chunk in parser.chunks(source.pages(wanted, everything(source))):
        assert not any(chunk.extra or [])
        found += zip(*(column.to_pylist() for column in shaper.shape(chunk).columns), strict=True)
    assert parser.drift.new == set()
    return sorted(map(repr, found)), source.facts.notes


@pytest.fixture(scope="module")
def both(served: Endpoints) -> Iterator[dict[str, tuple[OdataExtractor, Connection]]]:
    """Two clients: one reads all sets by pages, one by package."""
    by_pages, by_package = connection(served, FINANCE), packaged(served, *SETS)
    with opened(served, by_pages) as pages, opened(served, by_package) as packages:
        yield {"pages": (pages, by_pages), "packages": (packages, by_package)}


@pytest.mark.parametrize("name", SETS)
def test_a_package_lands_what_the_set_lands(vendors, both, name):
    by = {way: landed(source, given, stream(source, name))[0] for way, (source, given) in both.items()}
    assert both["packages"][0].facts.notes["packages"][-1] == name
    assert len(by["pages"]) > 3
    assert by["packages"] == by["pages"]


def test_a_package_lands_with_all_habits_on(vendors):
    habits = FinanceEnvironment(throttled_every=3, unavailable_every=4)
    habits.packages.reads = 1
    vendors.apps["dynamics_finance"].environment = habits
    given = packaged(vendors, "MainAccounts")
    with opened(vendors, given) as source:
        assert len(landed(source, given, stream(source, "MainAccounts"))[0]) > 10
        assert source.facts.retries > 1


def test_a_part_is_never_taken_for_the_whole(vendors):
    packages = vendors.apps["dynamics_finance"].environment.packages
    with opened(vendors, packaged(vendors)) as source:
        whole = len(list(landed(source, packaged(vendors), stream(source, JOURNALS))[0]))
    given = packaged(vendors, JOURNALS)
    for status in ("PartiallySucceeded", "Failed", "Canceled"):
        packages.ends_as = status
        with opened(vendors, given) as source:
            found, notes = landed(source, given, stream(source, JOURNALS))
            assert (len(found), list(notes["package_failed"])) == (whole, [JOURNALS])


def test_a_project_that_exports_what_changed_is_found_out(vendors):
    """The first package is whole, the second nearly empty, and both succeed."""
    projects = vendors.apps["dynamics_finance"].environment.packages.projects
    projects[f"Tieout {JOURNALS}"] = Project(JOURNALS, tracked=True)
    given = packaged(vendors, JOURNALS)
    with opened(vendors, given) as source:
        assert landed(source, given, stream(source, JOURNALS))[0]
    with opened(vendors, given) as source, pytest.raises(SourceError, match="hold 0 of") as error:
        landed(source, given, stream(source, JOURNALS))
    assert "change tracking" in error.value.hint


def test_a_company_that_is_left_out_is_found_out(vendors):
    given = packaged(vendors, packages={JOURNALS: {"project": f"Tieout {JOURNALS}", "companies": ["USTC"]}})
    with opened(vendors, given) as source, pytest.raises(SourceError, match="rows"):
        landed(source, given, stream(source, JOURNALS))


def test_a_project_that_is_not_there_is_named(vendors):
    given = packaged(vendors, packages={JOURNALS: "Nobody's"})
    with opened(vendors, given) as source, pytest.raises(SourceError, match="'Nobody's' does not exist"):
        landed(source, given, stream(source, JOURNALS))


def test_storage_elsewhere_must_be_named(vendors):
    port = vendors.urls["dynamics_finance"].rpartition(":")[2]
    other = vendors.apps["dynamics_finance"].environment.packages.host = f"http://localhost:{port}"
    given = packaged(vendors, "MainAccounts")
    with opened(vendors, given) as source, pytest.raises(UnsafeLinkError, match="localhost"):
        landed(source, given, stream(source, "MainAccounts"))
    given = packaged(vendors, "MainAccounts", package_hosts=[other])
    with opened(vendors, given) as source:
        assert landed(source, given, stream(source, "MainAccounts"))[0]


def test_what_is_no_package_is_refused(vendors):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("Manifest.xml", "<x/>")
        archive.writestr("../../etc/MainAccounts.csv", "A\r\n")
    given = packaged(vendors, "MainAccounts")
    for contents, match in ((b"nothing", "no zip file"), (held.getvalue(), "leads out of the folder")):
        vendors.apps["dynamics_finance"].environment.packages.contents = contents
        with opened(vendors, given) as source, pytest.raises(SourceError, match=match):
            landed(source, given, stream(source, "MainAccounts"))


# --- the stand-in


class Asks:
    """Data management as anybody may ask it."""

    def __init__(self, vendors: Endpoints) -> None:
        self._url = vendors.urls["dynamics_finance"]
        self._bearer = f"Bearer {token(vendors, 'dynamics_finance').json()['access_token']}"

    def __call__(self, action: str, words: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self._url}{ACTIONS}{action}", json=words, headers={"authorization": self._bearer})

    def package(self) -> str:
        """Where the package of an export lies that has ended."""
        execution = {"executionId": self("ExportToPackage", EXPORT).json()["value"]["value"]}
        while self("GetExecutionSummaryStatus", execution).json()["value"] != "Succeeded":
            assert self("GetExportedPackageUrl", execution).json()["value"] == ""
        return self("GetExportedPackageUrl", execution).json()["value"]


EXPORT = {"definitionGroupId": "Tieout MainAccounts", "packageName": "x", "executionId": "", "reExecute": False,
          "legalEntityId": "USTC"}


def test_an_export_takes_exactly_its_parameters(vendors):
    ask = Asks(vendors)
    for words, status, text in (
        ({**EXPORT, "more": 1}, 400, "parameters"), ({n: w for n, w in EXPORT.items() if n != "reExecute"}, 400,
                                                      "parameters"),
        ({**EXPORT, "reExecute": "false"}, 400, "reExecute"), ({**EXPORT, "legalEntityId": "XX"}, 500, "company"),
        ({**EXPORT, "definitionGroupId": "None"}, 500, "does not exist"),
    ):
        refused = ask("ExportToPackage", words)
        assert (refused.status_code, text in refused.json()["error"]["innererror"]["message"]) == (status, True), words
    assert ask("Nothing", {}).status_code == 404
    assert ask("GetExecutionSummaryStatus", {"executionId": "nobody"}).json()["value"] == "Unknown"
    assert asked(vendors, "dynamics_finance", f"{ACTIONS}ExportToPackage").status_code == 404  # a question, no action


def test_storage_takes_its_own_signature_and_no_token(vendors):
    ask = Asks(vendors)
    url = ask.package()
    assert httpx.get(url).status_code == 200
    assert httpx.get(url, headers={"range": "bytes=0-9"}).headers["content-range"].startswith("bytes 0-9/")
    assert httpx.get(url, headers={"range": "bytes=99999999-"}).status_code == 416
    assert httpx.get(url, headers={"if-match": '"other"'}).status_code == 412
    for refused, status in ((httpx.get(url, headers={"authorization": ask._bearer}), 400),
                            (httpx.get(url[:-1]), 403), (httpx.get(url.partition("?")[0]), 403)):
        assert refused.status_code == status
        assert refused.headers["x-ms-error-code"] in refused.text
    vendors.apps["dynamics_finance"].environment.packages.reads = 1
    assert httpx.get(url).status_code == 403  # it ended
