"""Persons' ids are hashed before anything is stored: in every form in which records come, and only once."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest

from tieout import spec_streams
from tieout.errors import ConfigError, SecretError, SourceError
from tieout.extract import Page
from tieout.landing.parse import Parser
from tieout.landing.veil import hashed
from tieout.spec import Connection, load_source, parse

KEY = "0123456789abcdef" * 4
PERSON = "0015g0Fq3h1Yx2bAAC"
HASH = "h1:" + hmac.new(KEY.encode(), PERSON.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    for name in ("consumer_key", "consumer_secret"):
        monkeypatch.setenv(f"TIEOUT_SECRET_CARE__{name}".upper(), f"a secret {name}")
    monkeypatch.setenv("TIEOUT_SECRET_CARE__HASH_KEY", KEY)
    return Connection.model_validate({
        "name": "care", "system": "health_cloud", "auth": "client_credentials", "time_zone": "UTC",
        "options": {"login_url": "https://acme.my.salesforce.com"}})


def chunk(connection: Connection, page: Page, name: str = "CareProgramEnrollee"):
    (found,) = Parser(connection, load_source("health_cloud").stream(name)).chunks([page])
    return found


def everything(found) -> str:
    return repr((found.values, found.extra, found.records.to_pylist(), found.broken))


@pytest.mark.parametrize("page", [
    Page("x", b'{"records":[{"attributes":{"type":"x"},"Id":"1","AccountId":"%s","Odd__c":1.10}]}' % PERSON.encode(),
         records="records", noise=("attributes",)),
    Page("x", b'"Id","AccountId"\n"1","%s"\n' % PERSON.encode(), "csv"),
    Page("x", pa.record_batch({"Id": ["1"], "AccountId": [PERSON]}), "arrow"),
], ids=["json", "csv", "arrow"])
def test_no_form_of_a_page_lets_the_plain_id_through(connection, page):
    found = chunk(connection, page)
    values = found.values["accountid"]
    assert (values if isinstance(values, list) else values.to_pylist()) == [HASH]
    assert PERSON not in everything(found) and HASH in everything(found)
    if page.media == "json":
        assert found.extra == ['{"Odd__c":1.10}'], "the rest of the record is as it was received"


def test_what_is_a_hash_already_stays(connection):
    """Archived batches and quarantined records land again as they were."""
    found = chunk(connection, Page("x", b'[{"Id":"1","AccountId":"%s"},{"Id":"2","AccountId":null},{"Id":"3"}]'
                                   % HASH.encode()))
    values = found.values["accountid"]
    assert (values if isinstance(values, list) else values.to_pylist()) == [HASH, None, None]


def test_one_person_has_one_hash_in_all_streams(connection):
    member = chunk(connection, Page("x", b'[{"Id":"1","MemberId":"%s"}]' % PERSON.encode()), "MemberPlan")
    patient = chunk(connection, Page("x", b'[{"Id":"1","PatientId":"%s"}]' % PERSON.encode()), "ClinicalEncounter")
    assert [*member.values["memberid"]] == [*patient.values["patientid"]]


def test_another_key_makes_other_hashes():
    assert hashed(b"a" * 32, PERSON) != hashed(b"b" * 32, PERSON)
    assert hashed(b"a" * 32, "") == ""


def test_a_page_that_cannot_be_read_whole_is_refused_and_not_quoted(connection):
    """The careful way would put what it cannot read into the quarantine, as it came."""
    body = b'[{"Id":"1","AccountId":"%s","Status":"\xff"}]' % PERSON.encode()
    with pytest.raises(SourceError) as error:
        chunk(connection, Page("x", body))
    assert PERSON not in str(error.value) and "care.CareProgramEnrollee" in str(error.value)


def test_a_broken_record_is_withheld(connection):
    page = Page("x", b'[]', broken=((f"half a record of {PERSON}", "cut"),))
    assert PERSON not in everything(chunk(connection, page))


@pytest.mark.parametrize(("value", "says"), [("", "no secret hash_key"), ("short", "has 5 characters")])
def test_without_a_key_nothing_lands(connection, monkeypatch, value, says):
    monkeypatch.setenv("TIEOUT_SECRET_CARE__HASH_KEY", value)
    with pytest.raises(SecretError, match=says):
        chunk(connection, Page("x", b'[{"Id":"1","AccountId":"%s"}]' % PERSON.encode()))


def test_a_stream_without_persons_needs_no_key(connection, monkeypatch):
    monkeypatch.delenv("TIEOUT_SECRET_CARE__HASH_KEY")
    assert chunk(connection, Page("x", b'[{"Id":"1","Name":"CLM-1"}]'), "Claim").count == 1


def test_a_key_a_cursor_or_a_number_cannot_be_hashed():
    column = {"name": "id", "field": "Id", "type": "text", "hashed": True}
    other = {"name": "changed", "field": "Changed", "type": "timestamp"}
    with pytest.raises(ValueError, match="id cannot be hashed"):
        spec_streams.Stream(name="x", table="x", key=("id",), cursor="changed", columns=(column, other))
    with pytest.raises(ValueError, match="changed cannot be hashed"):
        spec_streams.Stream(name="x", table="x", key=("id",), cursor="id",
                            columns=({**column, "hashed": False}, {**other, "hashed": True}))


def test_a_source_that_asks_for_no_hash_key_cannot_hash(tmp_path):
    path = tmp_path / "tieout.yml"
    path.write_text("""\
version: 1
connections:
  ours:
    system: generic
    role: crm
    protocol: files
    auth: none
    time_zone: UTC
    options: {url: "file:///tmp"}
    streams:
      person:
        key: [id]
        options: {files: "*.csv"}
        columns: {id: text, ssn: {type: text, hashed: true}}
""", encoding="utf-8")
    from tieout.spec import Company

    with pytest.raises(ConfigError, match="need the secret hash_key"):
        parse(path, Company)
