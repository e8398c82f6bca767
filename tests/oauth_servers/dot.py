"""Another OAuth server (PyPI django-oauth-toolkit) at Sentry's addresses, for tests/it/real_oauth.rs.

python3 dot.py DATABASE PORT REUSE: listens on the socket that it finds at descriptor 0. With REUSE 1, a refresh token that
is used twice revokes all tokens of its login. `/decide/CODE/authorized` and `/decide/CODE/denied` are the user.
"""

import json
import socket
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

database, port, reuse = sys.argv[1:]
settings.configure(
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={
        "SCOPES": {"org:read": "", "event:read": ""},
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
        "DEVICE_FLOW_INTERVAL": 1,
        "OAUTH_DEVICE_VERIFICATION_URI": f"http://127.0.0.1:{port}/oauth/device/",
        "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": lambda code: f"http://127.0.0.1:{port}/oauth/device/?user_code={code}",
        "REFRESH_TOKEN_REUSE_PROTECTION": reuse == "1",
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from oauth2_provider import views  # noqa: E402
from oauth2_provider.models import AccessToken, Application, DeviceGrant  # noqa: E402

call_command("migrate", verbosity=0)
jane = User.objects.create(username="jane")
for client in ["test-client-id", "another-client-id"]:
    Application.objects.create(
        client_id=client,
        client_type=Application.CLIENT_PUBLIC,
        client_secret="",
        authorization_grant_type=Application.GRANT_DEVICE_CODE,
    )


def index(request):
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    found = AccessToken.objects.filter(token=token).first()
    if found is None or not found.is_valid():
        return JsonResponse({"detail": "Invalid token"}, status=401)
    user = {"id": str(found.user.pk), "username": found.user.username}
    return JsonResponse({"version": "0", "auth": {"scopes": found.scope.split()}, "user": user})


def decide(request, code, decision):
    grant = DeviceGrant.objects.get(user_code=code)
    grant.user, grant.status = jane, decision
    grant.save()
    return JsonResponse({})


urlpatterns = [
    path("oauth/device/code/", views.DeviceAuthorizationView.as_view()),
    path("oauth/token/", views.TokenView.as_view()),
    path("api/0/", index),
    path("decide/<slug:code>/<slug:decision>", decide),
]


class Server(WSGIServer):
    """On a socket that somebody else has opened."""

    def server_bind(self):
        self.socket = socket.socket(fileno=0)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address
        self.setup_environ()

    def server_activate(self):
        pass


class Handler(WSGIRequestHandler):
    """Notes each request on standard output."""

    def log_request(self, code="-", size="-"):
        print(json.dumps([self.command, self.path, str(code)]), flush=True)


server = Server(("127.0.0.1", int(port)), Handler)
server.set_app(WSGIHandler())
print("ready", flush=True)
server.serve_forever()
