"""Certificates at the stand-in for Entra ID: strict in all that an assertion says; MSAL's signer and ours pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from msal.oauth2cli.assertion import JwtAssertionCreator

from simulator.dataverse_api import DataverseEnvironment
from simulator.entra import JWT, TENANT, make_certificate
from simulator.fno_api import FinanceEnvironment
from simulator.serve import Endpoints, start
from tests.integration.test_simulator_dynamics import FINANCE, INVOICES, SALES, everything, folder, rows, stream
from tieout.errors import AuthError
from tieout.extract.odata import OdataExtractor
from tieout.spec import Company

__all__ = ["folder"]
SYSTEMS = ["dynamics_sales", "dynamics_finance"]


@pytest.fixture
def vendors(folder: Path) -> Iterator[Endpoints]:
    with start(folder, dynamics_sales=DataverseEnvironment.calm(), dynamics_finance=FinanceEnvironment.calm()) as found:
        yield found


class App:
    """An app of one stand-in, and what it may say about itself."""

    def __init__(self, vendors: Endpoints, system: str = "dynamics_finance") -> None:
        self.url, self.keys = vendors.urls[system], vendors.secrets[f"{system}_technology"]
        self.endpoint = f"{self.url}/{TENANT}/oauth2/v2.0/token"
        self.digest = sha256(PEM_cert_to_DER_cert(self.keys["certificate"]))

    def creator(self, algorithm: str = "PS256") -> JwtAssertionCreator:
        return JwtAssertionCreator(self.keys["private_key"], algorithm, sha256_thumbprint=self.digest.hexdigest())

    def assertion(self, **words: Any) -> str:
        given = {"audience": self.endpoint, "issuer": self.keys["client_id"], "not_before": int(time.time()), **words}
        return self.creator(given.pop("algorithm", "PS256")).create_normal_assertion(**given).decode()

    def ask(self, assertion: str, endpoint: str | None = None, **changes: str) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": self.keys["client_id"], "client_assertion_type": JWT,
                "client_assertion": assertion, "scope": f"{self.url}/.default", **changes}
        return httpx.post(endpoint or self.endpoint, data=form)

    def refused(self, number: int, answer: httpx.Response) -> str:
        told = answer.json()
        assert (answer.status_code, told["error"], told["error_codes"]) == (401, "invalid_client", [number])
        return told["error_description"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_assertion_that_msal_signs_is_taken_and_its_token_works(vendors, system):
    app = App(vendors, system)
    granted = app.ask(app.assertion())
    assert granted.status_code == 200, granted.text
    path = "/data/LegalEntities" if system == "dynamics_finance" else "/api/data/v9.2/accounts"
    token = granted.json()["access_token"]
    assert httpx.get(f"{app.url}{path}", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_the_older_algorithm_is_taken_too(vendors):
    app = App(vendors)
    assert app.ask(app.assertion(algorithm="RS256")).status_code == 200


def test_an_assertion_is_good_once(vendors):
    app = App(vendors)
    once = app.assertion()
    assert app.ask(once).status_code == 200
    assert "used before" in app.refused(50027, app.ask(once))
    same = app.assertion(assertion_id="the-same")
    assert app.ask(same).status_code == 200
    app.refused(50027, app.ask(app.assertion(assertion_id="the-same")))


@pytest.mark.parametrize(("number", "words"), [
    (700024, {"expires_at": 1_600_000_000}), (700024, {"not_before": 4_000_000_000}),
    (700023, {"audience": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}),
    (700021, {"issuer": str(uuid4())}), (700021, {"subject": str(uuid4())}), (50027, {"not_before": None}),
    (50027, {"algorithm": "RS512"}),
])
def test_what_an_assertion_says_must_be_true(vendors, number, words):
    app = App(vendors)
    app.refused(number, app.ask(app.assertion(**words)))


def test_the_audience_is_one_and_the_endpoint_that_is_asked(vendors):
    app = App(vendors)
    app.refused(700023, app.ask(app.assertion(audience=[app.endpoint])))
    older = app.endpoint.replace("/v2.0", "")
    app.refused(700023, app.ask(app.assertion(), endpoint=older, resource=app.url))
    assert app.ask(app.assertion(audience=older), endpoint=older, resource=app.url).status_code == 200


def test_a_claim_that_is_missing_or_a_header_that_is_wrong_is_refused(vendors):
    app, now = App(vendors), int(time.time())
    whole = {"aud": app.endpoint, "iss": app.keys["client_id"], "sub": app.keys["client_id"], "nbf": now,
             "exp": now + 300}
    by = jwt.get_unverified_header(app.assertion())

    def signed(claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, app.keys["private_key"], "PS256", headers={**by, **header})

    for absent in whole:
        left = {name: value for name, value in whole.items() if name != absent}
        assert app.ask(signed({**left, "jti": str(uuid4())})).status_code == 401, absent
    app.refused(50027, app.ask(signed(whole)))  # without jti
    app.refused(50027, app.ask(signed({**whole, "jti": "1"}, typ="at+jwt")))
    app.refused(50027, app.ask("eyJ.not.ajwt"))
    app.refused(700027, app.ask(signed({**whole, "jti": "2"}, **{"x5t#S256": "A" * 43})))
    assert app.ask(signed({**whole, "jti": "3"})).status_code == 200


def test_another_key_signs_nothing_whatever_certificate_it_names(vendors):
    app, other = App(vendors), make_certificate()
    app.keys = {**app.keys, "private_key": other["private_key"]}
    assert "verify the signature failed" in app.refused(700027, app.ask(app.assertion()))
    app.digest = sha256(PEM_cert_to_DER_cert(other["certificate"]))
    assert "not registered on application" in app.refused(700027, app.ask(app.assertion()))


def test_a_certificate_that_ended_is_no_proof(vendors):
    app = App(vendors)
    ended = make_certificate(days=-1)
    vendors.apps["dynamics_finance"].auth._keys |= ended
    app.keys, app.digest = {**app.keys, **ended}, sha256(PEM_cert_to_DER_cert(ended["certificate"]))
    assert "expired" in app.refused(700027, app.ask(app.assertion()))


def test_secret_and_assertion_together_or_neither_is_no_request(vendors):
    app = App(vendors)
    both = app.ask(app.assertion(), client_secret=app.keys["client_secret"])
    assert (both.status_code, both.json()["error_codes"]) == (400, [9002313])
    other = app.ask(app.assertion(), client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
    assert (other.status_code, other.json()["error_codes"]) == (400, [9002313])
    neither = httpx.post(app.endpoint, data={"grant_type": "client_credentials", "client_id": app.keys["client_id"]})
    app.refused(7000218, neither)


@pytest.mark.parametrize("name", [SALES, FINANCE])
def test_our_client_reads_with_a_certificate_and_renews_its_token(vendors, name):
    given = Company(version=1, connections=vendors.connections()).connection(name)
    given = given.model_copy(update={"auth": "certificate", "options": {**given.options, "page_size": 2}})
    system = name.removesuffix("_technology")
    vendors.apps[system].auth.requests = 2
    with OdataExtractor(given, vendors.secrets[name], sleep=lambda _: None) as source:
        wanted = stream(source, "CustInvoiceJour" if system == "dynamics_finance" else "account")
        assert len(rows(list(source.pages(wanted, everything(source))))) >= min(INVOICES, 7)
        assert source.facts.token_refreshes >= 1


def test_the_demo_connects_finance_by_its_certificate(vendors):
    assert vendors.connections()[FINANCE]["auth"] == "certificate"
    assert vendors.connections()[SALES]["auth"] == "client_credentials"


def test_an_app_whose_certificate_was_replaced_is_told_so(vendors):
    given = Company(version=1, connections=vendors.connections()).connection(FINANCE)
    with OdataExtractor(given, {**vendors.secrets[FINANCE], **make_certificate()}, sleep=lambda _: None) as source, \
            pytest.raises(AuthError, match="AADSTS700027") as refusal:
        source.test()
    assert "register this certificate" in refusal.value.hint
