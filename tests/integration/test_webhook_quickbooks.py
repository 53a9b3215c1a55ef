"""Events of QuickBooks: signed by the app, told in the body in either form, for several companies at one address."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from simulator.quickbooks_api import webhooks
from tests.conftest import clear_settings, demo_company
from tieout import webhook
from tieout.warehouse import connect

TOKEN = "0c6e7f0a-8b1f-4b61-9a0a-5d7c2b7f9f11"
AT = "2026-03-01T12:00:00.000Z"
REALMS = {"books": "9130357766900456", "sister": "9130357766900999", "stranger": "9130357766900777"}
FORMS = {"notifications": webhooks.notifications, "cloud events": webhooks.cloud_events}


def company(name: str) -> dict:
    return {"system": "quickbooks", "auth": "refresh_token", "time_zone": "UTC", "legal_entity": "US01",
            "webhook": True, "options": {"realm_id": REALMS[name]}}


@pytest.fixture
def told(warehouse, tmp_path, monkeypatch):
    """What Airflow was told, and the receiver's client. `stranger` belongs to another app, `mute` has no secret."""
    known = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    known["connections"] |= {name: company(name) for name in REALMS}
    known["connections"]["mute"] = {**company("books"), "options": {"realm_id": "1"}}
    (tmp_path / "tieout.yml").write_text(json.dumps(known), encoding="utf-8")
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    for name, token in (("BOOKS", TOKEN), ("SISTER", TOKEN), ("STRANGER", "another" * 8)):
        monkeypatch.setenv(f"TIEOUT_SECRET_{name}__WEBHOOK_SECRET", token)
    clear_settings()
    with connect("owner") as db:
        db.execute("delete from ops.webhook_nonce")  # a delivery is known by what it says
    heard: list[str] = []
    receiver = webhook.Receiver(lambda name: heard.append(name) or "a landing begins")
    yield heard, TestClient(webhook.application(receiver))
    monkeypatch.undo()
    clear_settings()


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def event(realm: str = "books", entity: str = "Invoice", name: str = "145", operation: str = "Update"):
    return REALMS.get(realm, realm), entity, name, operation


def send(client, payload, *, key=TOKEN, to="books", **headers):
    sent, body = webhooks.delivery(key, payload)
    return client.post(f"/events/{to}", content=body, headers={**sent, **headers})


def test_the_signature_is_base64_of_the_raw_body():
    """A vector that openssl computed."""
    body = b'{"id":1,"total_price":"10.00"}'
    assert webhooks.signature("hush", body) == "3ExhP4awn0YdYCYBfHaJzuf4Scd3dWGj2Va0su1GZEc="


def test_what_lands_begins_a_landing(told, form):
    heard, client = told
    entities = ("Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt", "Estimate", "Payment", "JournalEntry",
                "Deposit", "Customer", "Item", "Account")
    answers = [send(client, form([event(entity=entity)], AT)).status_code for entity in entities]
    assert (set(answers), heard) == ({202}, ["books"] * len(entities))


def test_whatever_was_done_begins_a_landing(told, form):
    heard, client = told
    operations = ("Create", "Update", "Delete", "Merge", "Void", "Emailed")
    for operation in operations:
        send(client, form([event(operation=operation)], AT))
    assert heard == ["books"] * len(operations)


def test_many_changes_are_one_landing(told, form):
    heard, client = told
    send(client, form([event(name=str(number)) for number in range(200)], AT))
    assert heard == ["books"]


def test_a_delivery_that_comes_again_is_accepted_and_begins_nothing(told, form):
    heard, client = told
    payload = form([event()], AT)
    answers = [send(client, payload) for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 202]
    assert "before" in answers[1].text and heard == ["books"]
    send(client, form([event(name="146")], AT))
    assert heard == ["books", "books"], "another one does begin a landing"


def test_an_app_has_one_address_for_all_of_its_companies(told, form):
    heard, client = told
    send(client, form([event("sister"), event("books")], AT))
    assert sorted(heard) == ["books", "sister"]
    send(client, form([event("sister", name="7")], AT))
    assert sorted(heard) == ["books", "sister", "sister"], "which is not the one of the address"


def test_another_apps_company_is_not_told(told, form):
    heard, client = told
    assert (send(client, form([event("stranger"), event("1")], AT)).status_code, heard) == (202, [])


def test_a_company_that_nobody_connected_begins_no_landing(told, form):
    """The vendor's own test notification is of a company of its own."""
    heard, client = told
    assert (send(client, form([event("1185883450")], AT)).status_code, heard) == (202, [])


def test_other_entities_are_taken_and_begin_no_landing(told, form):
    heard, client = told
    others = [send(client, form([event(entity=each)], AT)).status_code for each in ("Vendor", "Bill", "Employee")]
    assert (set(others), heard) == ({202}, [])


def test_what_the_app_did_not_sign_is_refused(told, form):
    heard, client = told
    changes = {
        401: ({"key": "another" * 8}, {"intuit-signature": ""}, {"to": "stranger"},
              {"intuit-signature": "3ExhP4awn0YdYCYBfHaJzuf4Scd3dWGj2Va0su1GZEc="}),
        503: ({"to": "mute"},), 400: ({"to": "nobody"},)}
    for status, found in changes.items():
        assert {send(client, form([event()], AT), **each).status_code for each in found} == {status}
    assert heard == []


def test_the_raw_body_is_what_was_signed(told, form):
    heard, client = told
    sent, body = webhooks.delivery(TOKEN, form([event()], AT))
    assert client.post("/events/books", content=body.replace(b",", b", "), headers=sent).status_code == 401
    assert heard == []


def test_a_body_of_no_known_form_is_taken_and_begins_no_landing(told):
    heard, client = told
    for payload in (
        {}, [], {"eventNotifications": None}, {"eventNotifications": [{"realmId": REALMS["books"]}]}, [None, 1, "x"],
        {"eventNotifications": [{"realmId": None, "dataChangeEvent": {"entities": [{"name": "Invoice"}]}}]},
        [{"intuitaccountid": REALMS["books"], "type": None}], 5, "Invoice",
    ):  # fmt: skip
        assert (send(client, payload).status_code, heard) == (202, []), payload


def test_a_signed_body_that_is_no_json_is_refused(told):
    heard, client = told
    body = b"<Invoice/>"
    answer = client.post("/events/books", content=body, headers={"intuit-signature": webhooks.signature(TOKEN, body)})
    assert (answer.status_code, heard) == (400, [])


def test_a_single_cloud_event_is_one_as_well(told):
    heard, client = told
    send(client, webhooks.cloud_events([event()], AT)[0])
    assert heard == ["books"]


def test_while_airflow_is_away_the_delivery_may_come_again(told, form):
    heard, _ = told

    def away(_name):
        raise webhook.Rejected(503, "away")

    payload = form([event(), event("sister")], AT)
    assert send(TestClient(webhook.application(webhook.Receiver(away))), payload).status_code == 503
    back = TestClient(webhook.application(webhook.Receiver(lambda name: heard.append(name) or "a landing begins")))
    assert (send(back, payload).status_code, sorted(heard)) == (202, ["books", "sister"])
