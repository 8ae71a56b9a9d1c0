"""The bridge as a Flask application: its gate, its errors and its doors."""

import logging
from http import HTTPStatus

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from grafana_json import codings, exchange, openapi, rows
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.gate import UNKNOWN_TOKEN, Gate, Refusal, is_embedded, make_gate
from grafana_json.measures import FORM, Measures
from grafana_json.plugins import door as plugins
from grafana_json.prometheus import door as prometheus
from grafana_json.query import RequestError
from grafana_json.source import Source
from grafana_json.views import Connect, UnwelcomeError, View, Visitors
from sisock.errors import ConsumerError
from sisock.settings import Settings

log = logging.getLogger(__name__)
_SENTENCES = {
    404: f"the bridge answers {', '.join(openapi.describe(guarded=False)['paths'])}, nothing else",
    405: "this path is not asked with that method: the header Allow says with which, /openapi.json how",
    413: f"a request may be {LARGEST_REQUEST} bytes long at the most",
}


def create_app(consumer: Source, settings: Settings, connect: Connect | None = None) -> Flask:
    """The bridge, asking through this consumer, and for who has an API token through one that `connect` makes.

    Raises ValueError where the settings are not safe.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    gate = make_gate(settings)
    measures, most = Measures(), settings.bridge_memory * 2**20
    own = View.through(consumer, settings.bridge_deadline, most, measures=measures)
    visitors = Visitors(connect, settings.bridge_deadline, most) if connect else None
    app.extensions.update(own=own, visitors=visitors, measures=measures)
    measures.count(app, frozenset(openapi.describe(guarded=False)["paths"]))
    _guard(app, gate)
    _explain(app)
    codings.apply(app)
    _admit(app, gate, own, visitors)
    _tell_health(app)
    _measure(app, measures, own)
    _describe(app, guarded=gate.token is not None)
    app.register_blueprint(plugins.door(_view))
    app.register_blueprint(rows.door(_view, settings.bridge_deadline))
    app.register_blueprint(prometheus.door(_view, settings.bridge_deadline))
    return app


def _view() -> View:
    """What whoever asks now may see."""
    view: View = g.view
    return view


def _admit(app: Flask, gate: Gate, own: View, visitors: Visitors | None) -> None:
    """See who asks, before any door answers."""

    @app.before_request
    def admit() -> Response | None:
        who = gate.who(request.headers.get("Authorization", ""))
        if isinstance(who, Refusal):
            return exchange.refuse(who.sentence, who.status)
        try:
            if who is None or visitors is None:
                g.view = own
            else:
                g.visit = visitors.enter(who)
                g.view = g.visit.view
        except UnwelcomeError:
            return exchange.refuse(UNKNOWN_TOKEN.sentence, UNKNOWN_TOKEN.status)
        return None

    @app.teardown_request
    def done(_: BaseException | None) -> None:
        if visitors is not None and (visit := g.pop("visit", None)) is not None:
            visitors.done(visit)


def _guard(app: Flask, gate: Gate) -> None:
    """Refuse who may not ask; let browsers know whose pages may."""

    def check() -> Response | None:
        """The refusal, the answer to a preflight, or None to go on."""
        headers, preflight = request.headers, request.method == "OPTIONS"
        refusal = gate.refusal(headers.get("Host", ""), headers.get("Origin"), embedded=is_embedded(headers))
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
        vary = "Authorization, Accept-Encoding" + (", Origin" if gate.origins else "")
        given = response.headers.get("Vary")
        response.headers["Vary"] = f"{given}, {vary}" if given else vary
        response.headers.setdefault("Cache-Control", "no-store")  # what one may see is nobody else's
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    app.before_request(check)
    app.after_request(allow)


def _explain(app: Flask) -> None:
    """Answer every error with a sentence."""

    @app.before_request
    def astray() -> Response | None:
        """The refusal of a path that Flask would correct by a redirect, which it makes into a page of its own."""
        return exchange.refuse(_SENTENCES[404], 404) if isinstance(request.routing_exception, RequestRedirect) else None

    @app.errorhandler(RequestError)
    def senseless(error: RequestError) -> Response:
        return exchange.refuse(str(error), 400)

    @app.errorhandler(ConsumerError)
    def unanswered(error: ConsumerError) -> Response:
        return exchange.refuse(str(error), 503)

    @app.errorhandler(HTTPException)
    def unfit(error: HTTPException) -> Response:
        status = error.code or 500
        refusal = exchange.refuse(_SENTENCES.get(status, error.description or error.name), status)
        if isinstance(error, MethodNotAllowed):
            refusal.allow.update(error.valid_methods or ())
        return refusal

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("request failed path=%s", request.path, exc_info=error)
        return exchange.refuse("the bridge failed at this request: its log says how", 500)


def _tell_health(app: Flask) -> None:
    """Answer `/`, which Grafana asks to test the data source: 200, or 503 while there is no hub."""

    @app.get("/")
    def health() -> Response:
        consumer = _view().source
        if not consumer.connected:
            return exchange.refuse("the bridge is not joined to the router: start it with `sisock up`", 503)
        return exchange.reply({"nodes": sum(node.state == "up" for node in consumer.nodes())})


def _measure(app: Flask, measures: Measures, own: View) -> None:
    """Answer `/metrics`: how the bridge is doing, with the names of all nodes that it sees."""

    @app.get("/metrics")
    def measured() -> Response:
        if _view() is not own:
            return exchange.refuse("how the bridge is doing is told to its own token, not to API tokens", 403)
        return Response(measures.text(), content_type=FORM)


def _describe(app: Flask, *, guarded: bool) -> None:
    """Answer `/openapi.json`, by which programs learn what the bridge can be asked."""
    description = openapi.describe(guarded=guarded)

    @app.get("/openapi.json")
    def described() -> Response:
        return exchange.reply(description)
