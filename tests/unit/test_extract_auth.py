"""Signatures and tokens, against the standards' and the vendors' own words."""

from __future__ import annotations

import re
import threading
from urllib.parse import unquote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from tests.unit.extract_stub import pem, rsa_key
from tieout.extract import Facts
from tieout.extract.auth import Bearer, OAuth1, Token, assertion

URL = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/query/v1/suiteql?limit=1000&offset=0"


def signer() -> OAuth1:
    return OAuth1(realm="1234567_SB1", consumer_key="ck", consumer_secret="cs", token="tk", token_secret="ts")


def words(header: str) -> dict[str, str]:
    assert header.startswith("OAuth ")
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}


def test_oauth1_signature_equals_the_hand_computed_vector():
    found = words(signer().header("POST", URL, nonce="abc123nonce", timestamp="1735689600"))
    assert found == {
        "realm": "1234567_SB1", "oauth_consumer_key": "ck", "oauth_token": "tk", "oauth_nonce": "abc123nonce",
        "oauth_timestamp": "1735689600", "oauth_signature_method": "HMAC-SHA256", "oauth_version": "1.0",
        "oauth_signature": "1OKD4bs//ZLYe29oxtVXWZamo4Xl6ZXMY0E5Ea9SDrw=",
    }


def test_a_json_body_is_not_signed():
    """oauthlib adds oauth_body_hash when it is handed the body, and the vendor then refuses the signature."""
    request = httpx.Request("POST", URL, json={"q": "SELECT 1"})
    signer().apply(request)
    assert "oauth_body_hash" not in request.headers["Authorization"]


def test_a_nonce_is_never_used_twice():
    request = httpx.Request("POST", URL)
    nonces = set()
    for _ in range(50):
        signer().apply(request)
        nonces.add(words(request.headers["Authorization"])["oauth_nonce"])
    assert len(nonces) == 50


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_rsa_assertions_verify_with_the_public_key(algorithm):
    token = assertion(pem(rsa_key()), {"iss": "ck", "exp": 1}, rsa=algorithm, kid="cert-1")
    public = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    decoded = jwt.decode(token, RSAKey.import_key(public), algorithms=[algorithm])
    assert decoded.header == {"typ": "JWT", "alg": algorithm, "kid": "cert-1"}
    assert decoded.claims == {"iss": "ck", "exp": 1}


@pytest.mark.parametrize(
    ("curve", "algorithm"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_the_curve_of_an_elliptic_key_names_the_algorithm(curve, algorithm):
    key = ec.generate_private_key(curve)
    token = assertion(pem(key), {"iss": "ck"}, rsa="PS256")
    public = ECKey.import_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert jws.deserialize_compact(token, public, algorithms=[algorithm]).protected["alg"] == algorithm


class Tokens:
    def __init__(self, lifetime: float | None = None) -> None:
        self.lifetime, self.fetched, self.time = lifetime, 0, 0.0
        self.facts = Facts()
        self.bearer = Bearer(self.fetch, self.facts, monotonic=lambda: self.time)

    def fetch(self) -> Token:
        self.fetched += 1
        return Token(f"token-{self.fetched}", self.lifetime)

    def header(self) -> str:
        request = httpx.Request("GET", "https://api.example.com")
        self.bearer.apply(request)
        return request.headers["Authorization"]


def test_one_token_serves_all_requests():
    tokens = Tokens()
    assert tokens.header() == tokens.header() == "Bearer token-1"
    assert tokens.facts.token_refreshes == 0


def test_a_token_is_renewed_before_it_ends():
    tokens = Tokens(lifetime=3600)
    tokens.header()
    tokens.time = 3200
    assert tokens.header() == "Bearer token-1"
    tokens.time = 3300
    assert tokens.header() == "Bearer token-2"
    assert tokens.facts.token_refreshes == 1


def test_many_threads_that_saw_the_same_expiry_renew_once():
    tokens = Tokens()
    tokens.header()
    threads = [threading.Thread(target=tokens.bearer.renew, args=("token-1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.header() == "Bearer token-2"
    assert tokens.fetched == 2
