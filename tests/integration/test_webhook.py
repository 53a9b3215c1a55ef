"""Signed events: who may say that something changed, once, and what Airflow is told."""

from __future__ import annotations

import json
import secrets
import threading

import h11
import httpx
import pytest
from starlette.testclient import TestClient

from tests.conftest import clear_settings, demo_company
from tieout import webhook
from tieout.warehouse import connect, migrate

NOW = 1_790_000_000
KEY = "k" * 40
BODY = b'{"changed": "\xc3\xa4"}'


@pytest.fixture
def company(warehouse, tmp_path, monkeypatch):
    told = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    told["connections"]["salesforce"]["webhook"] = True
    (tmp_path / "tieout.yml").write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    monkeypatch.setenv("TIEOUT_SECRET_SALESFORCE__WEBHOOK_SECRET", KEY)
    monkeypatch.setenv("TIEOUT_SECRET_NETSUITE__WEBHOOK_SECRET", KEY)
    clear_settings()
    migrate(demo_company())
    yield
    monkeypatch.undo()
    clear_settings()


class Sender:
    """A vendor, and what Airflow was told."""

    def __init__(self, tell=None):
        self.told: list[str] = []
        self.receiver = webhook.Receiver(tell or (lambda name: self.told.append(name) or "a landing begins"),
                                         now=lambda: NOW)
        self.client = TestClient(webhook.application(self.receiver))

    def send(self, name="salesforce", *, at=NOW, nonce=None, body=BODY, key=KEY, **headers):
        nonce = nonce or secrets.token_hex(16)
        mac = webhook.signature(key, str(at), nonce, body)
        sent = {"Tieout-Timestamp": str(at), "Tieout-Nonce": nonce, "Tieout-Signature": mac, **headers}
        return self.client.post(f"/events/{name}", content=body, headers=sent)


@pytest.fixture
def sender(company):
    return Sender()


def test_a_signed_event_is_taken(sender):
    assert (sender.send().status_code, sender.told) == (202, ["salesforce"])


def test_the_signature_is_what_the_page_says(root):
    """Computed by openssl, as docs/near-real-time.md shows it."""
    import subprocess

    done = subprocess.run(["openssl", "dgst", "-sha256", "-hmac", KEY, "-r"], input=f"{NOW}.n.".encode() + BODY,
                          capture_output=True, check=True)
    assert webhook.signature(KEY, str(NOW), "n", BODY) == "v1=" + done.stdout.split()[0].decode()
    assert "openssl dgst -sha256 -hmac" in (root / "docs" / "near-real-time.md").read_text("utf-8")


@pytest.mark.parametrize(("what", "status"), [
    ({"key": "another" * 8}, 401), ({"Tieout-Signature": ""}, 401), ({"Tieout-Signature": "v1="}, 401),
    ({"name": "netsuite"}, 401), ({"name": "nobody"}, 401), ({"nonce": "short"}, 400), ({"nonce": "n" * 129}, 400),
    ({"Tieout-Timestamp": "soon"}, 400), ({"Tieout-Timestamp": str(NOW + 1)}, 401), ({"at": NOW - 301}, 401),
    ({"at": NOW + 301}, 401), ({"body": b"x" * (webhook.MOST_BYTES + 1)}, 413),
])  # fmt: skip
def test_all_else_is_refused_and_airflow_hears_nothing(sender, what, status):
    assert (sender.send(**what).status_code, sender.told) == (status, [])


def test_an_unknown_connection_answers_like_a_wrong_signature(sender):
    """Nor does one whose connection waits for no events tell that it exists."""
    assert len({sender.send(name, key="another" * 8).text for name in ("nobody", "netsuite", "salesforce")}) == 1


@pytest.mark.parametrize("at", [NOW - 300, NOW + 300])
def test_a_clock_may_be_five_minutes_off(sender, at):
    assert sender.send(at=at).status_code == 202


def test_a_changed_body_is_not_what_was_signed(sender):
    mac = webhook.signature(KEY, str(NOW), "n" * 16, BODY)
    assert sender.send(nonce="n" * 16, body=BODY + b" ", **{"Tieout-Signature": mac}).status_code == 401


def test_an_event_counts_once(sender):
    answers = [sender.send(nonce="n" * 20).status_code for _ in range(3)]
    assert (answers, len(sender.told)) == ([202, 409, 409], 1)


def test_the_same_event_from_two_sides_at_once_counts_once(company):
    together = threading.Barrier(2, timeout=20)
    slow = threading.Event()
    sender = Sender(lambda name: slow.wait(0.3) or sender.told.append(name) or "a landing begins")
    found = []

    def send():
        together.wait()
        found.append(sender.send(nonce="together-" * 3).status_code)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [202, 409] and len(sender.told) == 1


def test_while_airflow_is_away_the_event_may_be_sent_again(company):
    state = {"away": True}

    def tell(name):
        if state["away"]:
            raise webhook.Rejected(503, "Airflow is away")
        return "a landing begins"

    sender = Sender(tell)
    assert sender.send(nonce="again-" * 4).status_code == 503
    state["away"] = False
    assert [sender.send(nonce="again-" * 4).status_code for _ in range(2)] == [202, 409]


def test_a_missing_or_short_secret_takes_no_event(sender, monkeypatch):
    monkeypatch.setenv("TIEOUT_SECRET_SALESFORCE__WEBHOOK_SECRET", "short")
    assert sender.send(key="short").status_code == 503
    assert sender.told == []


def test_old_nonces_are_let_go(sender):
    sender.send(nonce="old-" * 5)
    with connect("owner") as db:
        db.execute("update ops.webhook_nonce set received_at = clock_timestamp() - interval '3 days'")
    sender.send()
    with connect("owner") as db:
        assert db.execute("select count(*) from ops.webhook_nonce").fetchone() == (1,)


# --- what Airflow is asked --------------------------------------------------------------------------------------------


class FakeAirflow:
    """Its REST API, as far as an event needs it; answers 401 until it has given a token."""

    def __init__(self, queued=0):
        self.queued, self.asked, self.token = queued, [], "t1"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        # What a client may put on the wire: the transport of a test would pass on anything.
        h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        self.asked.append((request.method, path))
        if path == "/auth/token":
            good = json.loads(request.content) == {"username": "admin", "password": "p"}
            return httpx.Response(201 if good else 401, json={"access_token": self.token} if good else {})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json={"detail": "no"})
        if path == "/api/v2/dags/land_salesforce/dagRuns":
            assert request.url.params["state"] == "queued"
            return httpx.Response(200, json={"dag_runs": [], "total_entries": self.queued})
        if path == "/api/v2/assets":
            named = {"id": 7, "name": "event_salesforce", "uri": "tieout://event/salesforce/"}
            other = {**named, "id": 6, "uri": "tieout://event/salesforce_2"}
            return httpx.Response(200, json={"assets": [other, named]})
        assert path == "/api/v2/assets/events" and json.loads(request.content)["asset_id"] == 7
        return httpx.Response(200, json={"id": 1})


def airflow(fake, password="p"):
    client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(fake))
    return webhook.Airflow(client, "admin", password)


def test_airflow_notes_an_event_of_the_asset():
    fake = FakeAirflow()
    ours = airflow(fake)
    assert ours.tell("salesforce") == "a landing begins"
    assert fake.asked[-1] == ("POST", "/api/v2/assets/events")
    fake.token = "t2"  # the first one expired
    assert ours.tell("salesforce") == "a landing begins"
    assert fake.asked.count(("GET", "/api/v2/assets")) == 1, "assets are looked up once"


def test_an_event_joins_a_landing_that_waits():
    fake = FakeAirflow(queued=1)
    assert airflow(fake).tell("salesforce") == "joined a landing that waits"
    assert ("POST", "/api/v2/assets/events") not in fake.asked


@pytest.mark.parametrize("broken", [
    lambda request: httpx.Response(500), lambda request: httpx.Response(200, text="<html>"),
    lambda request: httpx.Response(401), FakeAirflow(),
])  # fmt: skip
def test_an_airflow_that_does_not_take_it_is_told_to_the_sender(broken):
    with pytest.raises(webhook.Rejected) as caught:
        airflow(broken, password="wrong").tell("salesforce")
    assert caught.value.status == 503


def test_an_asset_that_airflow_does_not_know():
    class Empty(FakeAirflow):
        def __call__(self, request):
            answer = super().__call__(request)
            return httpx.Response(200, json={"assets": []}) if request.url.path == "/api/v2/assets" else answer

    with pytest.raises(webhook.Rejected, match="land_salesforce is not parsed yet"):
        airflow(Empty()).tell("salesforce")
