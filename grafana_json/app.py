"""The bridge as a Flask application: its gate, its errors and its doors."""

import logging
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from grafana_json import exchange, simplejson
from grafana_json.directory import Directory
from grafana_json.gate import Gate, make_gate
from grafana_json.query import RequestError
from grafana_json.series import Panels
from grafana_json.source import Source
from sisock.errors import ConsumerError
from sisock.settings import Settings

log = logging.getLogger(__name__)
LARGEST_REQUEST = 256 * 2**10  # bytes
_SENTENCES = {
    404: "the bridge answers /, /search, /query, /annotations, /tag-keys and /tag-values, nothing else",
    405: "the bridge is asked with POST; only / takes GET",
    413: f"a request may be {LARGEST_REQUEST} bytes long at the most",
}


def create_app(consumer: Source, settings: Settings) -> Flask:
    """The bridge, asking through this consumer; raises ValueError where the settings are not safe."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    directory = Directory(consumer, settings.bridge_deadline)
    _guard(app, make_gate(settings))
    _explain(app)
    _tell_health(app, consumer)
    app.register_blueprint(simplejson.door(Panels(consumer, directory, settings.bridge_deadline), directory))
    return app


def _guard(app: Flask, gate: Gate) -> None:
    """Refuse who may not ask; let browsers know whose pages may."""

    def check() -> Response | None:
        """The refusal, the answer to a preflight, or None to go on."""
        headers, preflight = request.headers, request.method == "OPTIONS"
        refusal = gate.refusal(
            headers.get("Host", ""), headers.get("Origin"), headers.get("Authorization"), preflight=preflight
        )
        if refusal:
            return exchange.refuse(refusal.sentence, refusal.status)
        return Response(status=204) if preflight else None

    def allow(response: Response) -> Response:
        """The response with the headers by which a browser hands it to a page."""
        origin = request.headers.get("Origin")
        if origin is not None and gate.allows(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            response.headers["Access-Control-Allow-Headers"] = "accept, authorization, content-type"
            response.headers["Access-Control-Max-Age"] = "600"
        if gate.origins:
            response.headers["Vary"] = "Origin"
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    app.before_request(check)
    app.after_request(allow)


def _explain(app: Flask) -> None:
    """Answer every error with a sentence."""

    @app.errorhandler(RequestError)
    def senseless(error: RequestError) -> Response:
        return exchange.refuse(str(error), 400)

    @app.errorhandler(ConsumerError)
    def unanswered(error: ConsumerError) -> Response:
        return exchange.refuse(str(error), 503)

    @app.errorhandler(HTTPException)
    def unfit(error: HTTPException) -> Response:
        return exchange.refuse(_SENTENCES.get(error.code or 500, error.description or error.name), error.code or 500)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("request failed path=%s", request.path, exc_info=error)
        return exchange.refuse("the bridge failed at this request: its log says how", 500)


def _tell_health(app: Flask, consumer: Source) -> None:
    """Answer `/`, which Grafana asks to test the data source: 200, or 503 while there is no hub."""

    @app.get("/")
    def health() -> Response:
        if not consumer.connected:
            return exchange.refuse("the bridge is not joined to the router: start it with `sisock up`", 503)
        return exchange.reply({"nodes": sum(node.state == "up" for node in consumer.nodes())})
