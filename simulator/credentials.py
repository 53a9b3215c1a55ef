"""Keys and secrets of the stand-in vendors, made once per folder in `credentials.json` (mode 0600)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from simulator import systems
from simulator.store import read_state
from simulator.units import unit

FILE = "credentials.json"


def credentials(folder: Path) -> dict[str, dict[str, str]]:
    """`{system: {name: secret}}` of the systems of the folder's unit; private and public keys as PEM.

    Both sides read it: the servers know the public halves, `Endpoints.secrets` hands out what a client needs.
    """
    path = folder / FILE
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = {system: systems.serves(system).make_keys() for system in unit(read_state(folder).unit).systems}
    draft = folder / f"{FILE}.{os.getpid()}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
    draft.replace(path)
    return made


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """`private_key` and `public_key` of a key pair."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": private.decode(), "public_key": public.decode()}
