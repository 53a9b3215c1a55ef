"""What an ADF REST resource says of itself: `GET …/<resource>/describe`."""

from __future__ import annotations

from typing import Any

from tieout.extract.http import Call, Client, decode


def attributes(client: Client, url: str, about: str) -> set[str]:
    """Names of the resource's attributes, from either form of description (ADF's own, or OpenAPI's).

    Empty where the description has none: then nothing can be said about any of them.
    """
    call = Call("GET", f"{url}/describe", about, headers={"accept": "application/json"})
    found: Any = client.request(call, lambda answer: decode(answer.body, dict[str, Any]))
    names: set[str] = set()
    for described in (found.get("Resources") or {}).values():
        names |= {str(each["name"]) for each in described.get("attributes") or () if "name" in each}
    for schema in ((found.get("components") or {}).get("schemas") or {}).values():
        names |= set(schema.get("properties") or {})
    return names
