"""Addresses: which host an URL means, which may be configured, and how one is shown in a message."""

from __future__ import annotations

import httpx

from tieout.errors import ConfigError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address, with the scheme's own port where none is written. Of no address: empty."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "", "", 0
    return parsed.scheme, parsed.host.lower(), parsed.port or _PORTS.get(parsed.scheme, 0)


def is_loopback(url: str) -> bool:
    """The address is this machine."""
    return httpx.URL(url).host in _LOOPBACK


def checked_address(url: str, what: str) -> str:
    """A configured address without its trailing slash: https, or http on this machine; ConfigError otherwise."""
    url = url.rstrip("/")
    scheme, host, _ = origin(url)
    if not host or (scheme != "https" and not (scheme == "http" and is_loopback(url))) or httpx.URL(url).userinfo:
        raise ConfigError(f"{what} must be an https address without a password", hint="such as https://example.com")
    return url


def safe_url(url: str) -> str:
    """An address for messages: without user, query and fragment."""
    scheme, host, port = origin(url)
    if not host:
        return "no address"
    shown = f":{port}" if port != _PORTS.get(scheme) else ""
    return f"{scheme}://{host}{shown}{httpx.URL(url).path}"
