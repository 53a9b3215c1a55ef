"""Keys and secrets of the stand-in vendors, made once per folder in `credentials.json` (mode 0600)."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

FILE = "credentials.json"
_SALESFORCE_BITS, _NETSUITE_BITS = 2048, 3072


def credentials(folder: Path) -> dict[str, dict[str, str]]:
    """`{"salesforce": {name: secret}, "netsuite": {…}}`; private and public keys as PEM.

    Both sides read it: the servers know the public halves, `Endpoints.secrets` hands out what a client needs.
    """
    path = folder / FILE
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = {"salesforce": _salesforce(), "netsuite": _netsuite()}
    draft = folder / f"{FILE}.{os.getpid()}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
    draft.replace(path)
    return made


def _salesforce() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_SALESFORCE_BITS)
    return {
        "consumer_key": f"3MVG9{secrets.token_urlsafe(60)[:75]}",
        "consumer_secret": secrets.token_hex(32).upper(),
        "username": "integration@global.example",
        **_pem(key),
    }


def _netsuite() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_NETSUITE_BITS)
    curve = _pem(ec.generate_private_key(ec.SECP256R1()))
    return {
        **{name: secrets.token_hex(32) for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")},
        "certificate_id": secrets.token_urlsafe(32),
        **_pem(key),
        "ec_certificate_id": secrets.token_urlsafe(32),
        "ec_private_key": curve["private_key"],
        "ec_public_key": curve["public_key"],
    }


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": private.decode(), "public_key": public.decode()}
