"""An app that proves itself by a certificate: what is signed, what is refused before it is sent, what is never said."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64decode
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests.canary import Hunt
from tests.unit.extract_stub import NOW, Sleeps, Wire, answer, pem, rsa_key
from tests.unit.test_extract_odata_dynamics import ERP, FULL, LOGIN, edmx, granted, rows, stream
from tieout.errors import AuthError, SecretError
from tieout.extract.odata import OdataExtractor
from tieout.secrets import secrets_for
from tieout.spec import Connection

TOKEN = "/T/oauth2/v2.0/token"


def certificate(days: int = 365, key: object = None) -> x509.Certificate:
    key, name = key or rsa_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tieout")])
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(NOW - timedelta(days=400)).not_valid_after(NOW + timedelta(days=days))
            .sign(key, SHA256()))


def text(found: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return found.public_bytes(Encoding.PEM).decode()


def secrets(days: int = 365) -> dict[str, str]:
    return {"client_id": "the-client", "private_key": pem(rsa_key()), "certificate": text(certificate(days))}


def connection(system: str = "dynamics_finance", **options: object) -> Connection:
    return Connection(name="erp", system=system, auth="certificate", time_zone="UTC",
                      options={"base_url": ERP, "tenant_id": "T", "authority": LOGIN, **options})


def opened(wire: Wire, given: dict[str, str] | None = None, of: Connection | None = None) -> OdataExtractor:
    return OdataExtractor(of or connection(), given or secrets(), transport=wire, sleep=Sleeps(), clock=lambda: NOW)


def refused(number: int, words: str, **headers: str) -> httpx.Response:
    return answer({"error": "invalid_client", "error_description": f"AADSTS{number}: {words} Trace ID: 1",
                   "error_codes": [number]}, 401, **headers)


def forms(wire: Wire) -> list[dict[str, str]]:
    return [{name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            for request in wire.asked("POST", TOKEN)]


def claims(form: dict[str, str]) -> dict:
    return jwt.decode(form["client_assertion"], options={"verify_signature": False})


@pytest.mark.parametrize("system", ["dynamics_finance", "dynamics_sales"])
def test_the_assertion_names_its_certificate_its_reader_and_five_minutes(system):
    wire = Wire().on("POST", TOKEN, granted()).on("GET", r"/.*\$metadata", answer({}, 403))
    with opened(wire, of=connection(system)) as source:
        source._client.auth.token()
    (form,) = forms(wire)
    assert form.pop("scope") == f"{ERP}/.default"
    assertion = form.pop("client_assertion")
    assert form == {"grant_type": "client_credentials", "client_id": "the-client",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    header = jwt.get_unverified_header(assertion)
    assert {name: header[name] for name in ("alg", "typ")} == {"alg": "PS256", "typ": "JWT"}
    assert urlsafe_b64decode(header["x5t#S256"] + "=") == certificate().fingerprint(SHA256())
    assert set(header) == {"alg", "typ", "x5t#S256"}
    found = jwt.decode(assertion, rsa_key().public_key(), ["PS256"], audience=f"{LOGIN}{TOKEN}", issuer="the-client",
                       options={"verify_exp": False, "verify_nbf": False, "verify_iat": False})
    assert found.pop("jti")
    issued = int(NOW.timestamp())
    assert found == {"aud": f"{LOGIN}{TOKEN}", "iss": "the-client", "sub": "the-client", "nbf": issued, "iat": issued,
                     "exp": issued + 300}


def test_no_assertion_is_sent_twice_whether_tried_again_or_renewed():
    wire = Wire().on("POST", TOKEN, answer({}, 503), granted(), granted())
    with opened(wire) as source:
        source._client.auth.renew(source._client.auth.token())
    assert len({claims(form)["jti"] for form in forms(wire)}) == len(forms(wire)) == 3


def test_an_assertion_off_the_clock_is_signed_again_by_the_vendors_time():
    late = httpx.Response(401, json=refused(700024, "Client assertion is not within its valid time range.").json(),
                          headers={"date": (NOW + timedelta(minutes=20)).strftime("%a, %d %b %Y %H:%M:%S GMT")})
    wire = Wire().on("POST", TOKEN, late, granted())
    with opened(wire) as source:
        source._client.auth.token()
        assert source.facts.notes["clock_skew_seconds"] == 1_200
    first, second = (claims(form)["nbf"] for form in forms(wire))
    assert second - first == 1_200


def test_a_wrong_clock_that_the_vendor_does_not_tell_is_final():
    wire = Wire().on("POST", TOKEN, refused(700024, "Client assertion is not within its valid time range."))
    with opened(wire) as source, pytest.raises(AuthError, match="AADSTS700024") as refusal:
        source._client.auth.token()
    assert "clock" in refusal.value.hint


@pytest.mark.parametrize(("number", "hint"), [
    (700027, "register this certificate"), (700023, "token_url"), (7000215, "value is wanted"), (700016, "tenant_id"),
    (500011, "options.scope"), (70011, "/.default"), (50027, "check the connection's secrets"),
])
def test_what_entra_refuses_is_final_named_and_says_what_to_do(number, hint):
    wire = Wire().on("POST", TOKEN, refused(number, "No."), always=True)
    with opened(wire) as source, pytest.raises(AuthError, match=f"AADSTS{number}: No") as refusal:
        source.test()
    assert hint in refusal.value.hint
    assert len(wire.requests) == 1


def test_a_code_is_not_taken_for_one_that_it_begins_like():
    wire = Wire().on("POST", TOKEN, refused(7000271, "Other."))
    with opened(wire) as source, pytest.raises(AuthError) as refusal:
        source._client.auth.token()
    assert "register" not in refusal.value.hint


def test_a_certificate_of_another_key_is_refused_before_anything_is_sent():
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(SecretError, match="connection erp: .*not the certificate of `private_key`"):
        opened(Wire(), {**secrets(), "certificate": text(certificate(key=other))})


def test_a_certificate_that_ended_is_refused_before_anything_is_sent():
    with pytest.raises(SecretError, match=r"connection erp: .*ended on 20\d\d-\d\d-\d\d") as refusal:
        opened(Wire(), secrets(days=-1))
    assert "register" in refusal.value.hint


def test_a_certificate_that_ends_soon_is_noted():
    with opened(Wire(), secrets(days=29)) as source:
        assert source.facts.notes["certificate_ends"] == f"{NOW + timedelta(days=29):%Y-%m-%d}"
    with opened(Wire(), secrets(days=31)) as source:
        assert "certificate_ends" not in source.facts.notes


def test_what_is_no_certificate_is_refused_without_being_quoted():
    with pytest.raises(SecretError, match="not a PEM certificate") as refusal:
        opened(Wire(), {**secrets(), "certificate": pem(rsa_key())})
    assert "PRIVATE" not in f"{refusal.value} {refusal.value.hint}"


def test_key_and_certificate_of_an_environment_file_have_their_breaks_back(monkeypatch):
    given = secrets()
    for name, value in given.items():
        monkeypatch.setenv(f"TIEOUT_SECRET_ERP__{name}".upper(), value.strip().replace("\n", "\\n"))
    found = secrets_for(connection())
    assert {name: value.strip() for name, value in found.items()} == {n: v.strip() for n, v in given.items()}
    with opened(Wire(), found):
        pass


def test_neither_key_nor_assertion_is_ever_said(caplog):
    """The vendor quotes what it was sent, twice; a page breaks; all of it is logged."""
    caplog.set_level(logging.DEBUG)
    given, seen = secrets(), []

    def quote(request: httpx.Request) -> httpx.Response:
        seen.append(parse_qs(request.content.decode())["client_assertion"][0])
        status = 503 if len(seen) == 1 else 401
        return refused(700027, f"Not registered: {seen[-1]} {given['private_key']}") if status == 401 else answer(
            {"error": "temporarily_unavailable", "error_description": seen[-1]}, 503)

    wire = Wire().on("POST", TOKEN, quote, always=True)
    from tieout import logs

    logs.register_secret(given["private_key"])  # as `secrets_for` does
    with opened(wire, given) as source, pytest.raises(AuthError) as refusal:
        source.test()
    assert len(seen) == 2
    said = f"{caplog.text}\n{refusal.value}\n{refusal.value.hint}\n{source.facts}".encode()
    hunt = Hunt({"private_key": given["private_key"], **{f"assertion {n}": one for n, one in enumerate(seen)}})
    assert hunt.in_bytes(said, "said", "log") == []
    middle = given["private_key"].split("\n")[3]
    assert Hunt({"a line of the key": middle}).in_bytes(said, "said", "log") == []
    assert Hunt({"planted": seen[0]}).in_bytes(said + seen[0].encode(), "said", "log")  # the hunt can find it


def test_a_certificate_reads_a_set():
    of = connection()
    wanted = stream(of, "LegalEntities")
    wire = Wire().on("POST", TOKEN, granted()).on("GET", r"/data/\$metadata", edmx(wanted, "LegalEntities"))
    wire.on("GET", "/data/LegalEntities", rows("USMF", key="LegalEntityId"))
    with opened(wire, of=of) as source:
        assert len(list(source.pages(wanted, FULL))) == 1
