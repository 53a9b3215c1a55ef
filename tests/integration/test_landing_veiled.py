"""What a person types by hand into the quarantine is hashed like what a vendor sends: no plain id is kept anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import clear_settings, demo_company
from tests.integration.conftest import current, land, stream_of
from tests.integration.fake_extractor import json_page
from tieout.landing import mapping, quarantine, replay
from tieout.landing.veil import hashed
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
KEY = "0123456789abcdef" * 4
MEMBER, SUBSCRIBER = "003HANDTYPEDMEMBER", "003HANDTYPEDSUBSCR"
WHO = {"by": "J. Doe", "note": "by mail"}


@pytest.fixture
def care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Health Cloud, and a tieout.yml that has it."""
    path = tmp_path / "tieout.yml"
    path.write_text(json.dumps(demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})))
    monkeypatch.setenv("TIEOUT_CONFIG", str(path))
    for name in ("consumer_key", "username", "private_key", "consumer_secret", "hash_key"):
        monkeypatch.setenv(f"TIEOUT_SECRET_HEALTH_CLOUD__{name}".upper(), KEY if name == "hash_key" else _pem(name))
    clear_settings()
    yield demo_company().connection("health_cloud")
    monkeypatch.undo()
    clear_settings()


def _pem(name: str) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if name != "private_key":
        return name
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def plan(**fields: object) -> dict:
    stamp = "2025-01-02T10:00:00.000+0000"
    return {"Id": "0mP1", "MemberId": MEMBER, "SubscriberId": SUBSCRIBER, "PriorityOrder": 1, "IsDeleted": False,
            "SystemModstamp": stamp, "CreatedDate": stamp, "LastModifiedDate": stamp, **fields}


def refused(care: Connection) -> quarantine.Entry:
    land(care, "MemberPlan", [json_page("MemberPlan", [plan(PriorityOrder="first")])])
    (entry,) = quarantine.list()
    return entry


def everything(db: psycopg.Connection, archive: Path) -> str:
    """Every row of raw and ops as text, and the archive's bytes as far as they are text."""
    tables = db.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('raw', 'ops')")
    found = []
    for (name,) in tables.fetchall():
        try:
            found += [row for (row,) in db.execute(f"select to_jsonb(t)::text from {name} t")]
        except psycopg.errors.InsufficientPrivilege:
            continue
    import pyarrow.parquet as pq

    found += [repr(pq.read_table(path).to_pylist()) for path in archive.rglob("*.parquet")]
    return "\n".join(found)


def test_a_corrected_payload_is_hashed_before_it_is_kept(care, loader, archive):
    entry = refused(care)
    result = replay.replay_corrected(entry.quarantine_id, json.dumps(plan(PriorityOrder=2, Odd__c=1.10)), **WHO)
    assert result.landed == 1
    (settled,) = quarantine.list(status="replayed")
    kept = json.loads(settled.corrected_payload)
    assert kept["MemberId"] == hashed(KEY.encode(), MEMBER) and kept["SubscriberId"] == hashed(KEY.encode(), SUBSCRIBER)
    assert kept["PriorityOrder"] == 2 and '"Odd__c":1.1' in settled.corrected_payload, "the rest is as it was typed"
    assert current(loader, "health_cloud__memberplan", "memberid") == {"0mP1": kept["MemberId"]}
    found = everything(loader, archive)
    assert MEMBER not in found and SUBSCRIBER not in found
    assert kept["MemberId"] in found, "the search looks where it would stand"


def test_a_corrected_payload_that_names_the_hash_lands_as_the_same_person(care, loader):
    entry = refused(care)
    mended = json.loads(entry.payload) | {"PriorityOrder": 3}
    replay.replay_corrected(entry.quarantine_id, json.dumps(mended), **WHO)
    assert current(loader, "health_cloud__memberplan", "memberid") == {"0mP1": hashed(KEY.encode(), MEMBER)}


def test_a_mapping_of_a_hashed_field_holds_hashes(care, loader, archive):
    stream = stream_of(care, "MemberPlan")
    mapping.decide(care, stream, "MemberId", MEMBER, SUBSCRIBER, by="J. Doe", reason="mixed up")
    (made,) = mapping.active(loader)
    assert (made.received, made.value) == (hashed(KEY.encode(), MEMBER), hashed(KEY.encode(), SUBSCRIBER))
    assert mapping.decide(care, stream, "MemberId", MEMBER, SUBSCRIBER, by="J. Doe", reason="again") is None
    mapping.decide(care, stream, "Status", "x", "Active", by="J. Doe", reason="not hashed")
    assert mapping.active(loader)[-1].value == "Active"
    assert MEMBER not in everything(loader, archive) and SUBSCRIBER not in everything(loader, archive)
