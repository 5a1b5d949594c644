"""Who may read /metrics: whoever shows the token, or, where there is none, a neighbour.

Pure. Asked by the collector and by the functions (docs/metrics.md).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

# A proxy in front of us is a neighbour, too; whoever it speaks for is not.
FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "fly-client-ip", "via")


def check_scrape(token: str, headers: Mapping[str, str], peer: str) -> str | None:
    """Return why a request for the metrics is refused, None if it is not.

    `headers`: with names in lower case, or a mapping that does not mind. `peer`: the address of
    whoever connected; empty if it is not known. `token`: METRICS_TOKEN, empty for none.
    """
    if token:
        given = headers.get("authorization", "")
        is_right = hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
        return None if is_right else "expected METRICS_TOKEN as bearer token"
    if any(headers.get(name) for name in FORWARDING_HEADERS):
        return "expected a direct call without METRICS_TOKEN, was forwarded"
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return "expected an address of the private network without METRICS_TOKEN"
    mapped = getattr(address, "ipv4_mapped", None)
    if (mapped or address).is_private:
        return None
    return "expected an address of the private network without METRICS_TOKEN"
