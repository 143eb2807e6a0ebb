"""What Elasticsearch's clients ask before they send: the truth where there is an answer, and else that nothing is set up.

Templates, policies and pipelines are not needed here: each key of a document is a column of its own without any.
"""

from collections.abc import Mapping

from zero.application.readiness import ReadinessReport
from zero.interfaces.ingest_http.elastic import answer_type, json_answer, refuse
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head, Prepare
from zero.interfaces.ingest_http.probes import Probes
from zero.interfaces.ingest_http.reply import Reply
from zero.interfaces.ingest_http.routes import Route

VERSION = "8.19.0"
"""The version of Elasticsearch whose bulk interface this is."""
_INFO = {
    "name": "zero",
    "cluster_name": "zero",
    "cluster_uuid": "zero",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "zero",
        "build_hash": "0",
        "build_date": "2025-07-23T00:00:00Z",
        "build_snapshot": False,
        "lucene_version": "9.12.2",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    },
    "tagline": "You Know, for Search",
}
_LICENSE = {"license": {"status": "active", "uid": "zero", "type": "basic", "mode": "basic"}}
_NONE = {"available": False, "enabled": False}
_XPACK = {"license": {"type": "basic", "mode": "basic", "status": "active"}, "features": {"ilm": _NONE, "security": _NONE}}
_NODES = {"_nodes": {"total": 0, "successful": 0, "failed": 0}, "cluster_name": "zero", "nodes": {}}
_SETUP_PATHS = ("_ilm/policy", "_index_template", "_component_template", "_template", "_ingest/pipeline", "_data_stream")


class ElasticHandshake:
    """The routes beside the bulk door."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    def routes(self) -> Mapping[str, Route]:
        """Return the routes by their paths."""
        told = {"/": _INFO, "/_license": _LICENSE, "/_xpack": _XPACK, "/_nodes": _NODES, "/_nodes/http": _NODES}
        routes = {path: Route({"GET": _says(value)}, refuse=refuse) for path, value in told.items()}
        routes["/_cluster/health"] = Route({"GET": self._health}, refuse=refuse)
        setup = Route({"GET": _says({}), "PUT": _says({"acknowledged": True})}, refuse=refuse)
        return routes | {f"/{path}/*": setup for path in _SETUP_PATHS}

    def _health(self, head: Head) -> Handle:
        content_type = answer_type(head)
        return lambda body, exchange: self._probes.ask(exchange, lambda report: _health_reply(report, content_type))


def _says(value: object) -> Prepare:
    def prepare(head: Head) -> Handle:
        reply = json_answer(value, answer_type(head))

        def handle(body: bytes, exchange: Exchange) -> None:
            exchange.reply(reply)

        return handle

    return prepare


def _health_reply(report: ReadinessReport, content_type: bytes) -> Reply:
    status = "green" if report.ready else "red"
    health = {"cluster_name": "zero", "status": status, "timed_out": False, "number_of_nodes": 1, "number_of_data_nodes": 1}
    reply = json_answer(health, content_type)
    return reply if report.ready else reply._replace(status=503, headers=(*reply.headers, (b"Retry-After", b"1")))
