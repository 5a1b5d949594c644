"""One queued HTTP request, sent with libcurl, and what pg_net would store about it.

Not here: the queue and its transaction (request_worker). libcurl is what pg_net itself uses, so
redirects, time-outs and error texts are the same.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pycurl

USER_AGENT = "pg_net/0.20.4"
# A request may ask for no time-out (0); here everything ends.
TIMEOUT_MS_MAX = 300_000

# libcurl's curl_easy_strerror, which pycurl does not expose: pg_net stores these texts.
# Source: https://curl.se/libcurl/c/libcurl-errors.html, libcurl 8.23 (checked 2026-11-21).
ERROR_TEXTS = {
    1: "Unsupported protocol",
    3: "URL using bad/illegal format or missing URL",
    6: "Could not resolve hostname",
    7: "Could not connect to server",
    18: "Transferred a partial file",
    35: "SSL connect error",
    47: "Number of redirects hit maximum amount",
    52: "Server returned nothing (no headers, no data)",
    55: "Failed sending data to the peer",
    56: "Failure when receiving data from the peer",
    60: "SSL peer certificate or SSH remote key was not OK",
}


class QueuedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of net.http_request_queue; `headers` are written `Name: value`."""

    id: int
    method: str
    url: str
    timeout_ms: int
    headers: tuple[str, ...]
    body: bytes | None


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A row of net._http_response; a failed request has no status, an answered one no error."""

    id: int
    status_code: int | None = None
    content_type: str | None = None
    headers: dict[str, str] | None = None
    content: str | None = None
    timed_out: bool
    error_msg: str | None = None


class Transfer:
    """A curl handle with the buffers it writes to."""

    def __init__(self, request: QueuedRequest) -> None:
        self.request = request
        self._content: list[bytes] = []
        self._headers: dict[str, str] = {}
        self.curl = self._prepare()

    def _prepare(self) -> pycurl.Curl:
        request, curl = self.request, pycurl.Curl()
        method = request.method.upper()
        curl.setopt(pycurl.URL, request.url.encode())
        curl.setopt(pycurl.HTTPHEADER, [*request.headers, f"User-Agent: {USER_AGENT}"])
        if request.body is not None:
            curl.setopt(pycurl.POSTFIELDS, request.body)
        elif method == "POST":
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE, 0)
        if method != "POST":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        timeout_ms = request.timeout_ms
        if not 0 < timeout_ms <= TIMEOUT_MS_MAX:
            timeout_ms = TIMEOUT_MS_MAX
        curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
        curl.setopt(pycurl.FOLLOWLOCATION, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        # Loopback must not go through a proxy that the machine's environment names.
        curl.setopt(pycurl.NOPROXY, "localhost,127.0.0.1")
        curl.setopt(pycurl.WRITEFUNCTION, self._content.append)
        curl.setopt(pycurl.HEADERFUNCTION, self._read_header)
        return curl

    def _read_header(self, line: bytes) -> None:
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):
            # A redirect or 100 Continue came before: only the last answer's headers are kept.
            self._headers.clear()
        name, colon, value = text.partition(":")
        if colon:
            self._headers[name] = value.strip()

    def response(self, failure: BaseException | None) -> StoredResponse:
        """Return what is stored, given how the transfer ended (None: an answer arrived)."""
        request_id = self.request.id
        if failure is None:
            content_type = next(
                (value for name, value in self._headers.items() if name.lower() == "content-type"),
                None,
            )
            # The original reads the content as a C string in the database's encoding.
            content = b"".join(self._content).partition(b"\0")[0].decode("utf-8", "replace")
            return StoredResponse(
                id=request_id,
                status_code=self.curl.getinfo(pycurl.RESPONSE_CODE),
                content_type=content_type,
                headers=dict(self._headers),
                content=content or None,
                timed_out=False,
            )
        code: Any = failure.args[0] if failure.args else None
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return StoredResponse(id=request_id, timed_out=True, error_msg=self._timeout_text())
        text = ERROR_TEXTS.get(code) or self.curl.errstr() or str(failure)
        return StoredResponse(id=request_id, timed_out=False, error_msg=text)

    def _timeout_text(self) -> str:
        """Return pg_net's sentence: which step took how long, in milliseconds."""
        lookup_s = self.curl.getinfo(pycurl.NAMELOOKUP_TIME)
        connect_s = self.curl.getinfo(pycurl.CONNECT_TIME)
        handshake_end_s = self.curl.getinfo(pycurl.APPCONNECT_TIME) or connect_s
        sent_s = self.curl.getinfo(pycurl.PRETRANSFER_TIME)
        total_s = self.curl.getinfo(pycurl.TOTAL_TIME)
        if lookup_s == 0 and connect_s == 0:
            dns_s, handshake_s, http_s = total_s, 0.0, 0.0
        elif sent_s == 0:
            dns_s, handshake_s, http_s = lookup_s, total_s - lookup_s, 0.0
        else:
            dns_s, handshake_s = lookup_s, handshake_end_s - lookup_s
            http_s = total_s - sent_s
        return (
            f"Timeout of {self.request.timeout_ms} ms reached. "
            f"Total time: {total_s * 1000:.6f} ms (DNS time: {dns_s * 1000:.6f} ms, "
            f"TCP/SSL handshake time: {handshake_s * 1000:.6f} ms, "
            f"HTTP Request/Response time: {http_s * 1000:.6f} ms)"
        )

    def close(self) -> None:
        """Free the handle."""
        self.curl.close()
