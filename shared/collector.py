"""Where spans go: a collector that takes OTLP over HTTP, on a connection that is kept."""

import http.client
from urllib.parse import urlsplit

PATH = "/v1/traces"
HEADERS = {"Content-Type": "application/x-protobuf"}


class Collector:
    """`endpoint` is http(s)://host:port, with or without the path of traces. One thread's."""

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        url = urlsplit(endpoint)
        path = url.path.rstrip("/")
        self._path = path if path.endswith(PATH) else path + PATH
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.netloc, timeout=timeout_s)

    def post(self, request: bytes) -> bool:
        """Sends an encoded request; says whether it was taken. Once more where the connection that
        was kept has gone meanwhile."""
        was_kept = self._connection.sock is not None
        try:
            return self._post(request) if not was_kept else self._post_again(request)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False

    def _post_again(self, request: bytes) -> bool:
        try:
            return self._post(request)
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            return self._post(request)

    def _post(self, request: bytes) -> bool:
        self._connection.request("POST", self._path, request, HEADERS)
        answer = self._connection.getresponse()
        answer.read()
        return 200 <= answer.status < 300

    def close(self) -> None:
        self._connection.close()
