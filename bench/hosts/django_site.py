"""A Django application over the catalogue: templates, the ORM on SQLite, the admin imported.

``/NUMBER`` renders a record with what it is related to and a user from the database. With a
catalogue of 0 MiB the framework is alone. As all that is loaded counts, the catalogue comes last.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from bench.hosts import catalogue

_RELATED = 400
_DATABASE = Path(os.environ.get("HOME", tempfile.gettempdir())) / "site.sqlite3"
_PAGE = """<html><body>{% if record %}<h1>{{ record.name|title }}</h1>
<p>{{ record.price|floatformat:2 }} ({{ record.stock }} in stock)</p>
<ul>{% for tag in record.tags %}<li>{{ tag|escape }}</li>{% endfor %}</ul>
<p>{{ related }} related articles for {{ total|floatformat:2 }}</p>{% endif %}
<p>{{ user.username }} {{ user.date_joined|date:"Y-m-d" }}</p></body></html>"""

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of no use",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(_DATABASE)}},
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402 (after the settings)
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.template import engines  # noqa: E402

_TEMPLATE = engines["django"].from_string(_PAGE)


def page(request: HttpRequest, number: int) -> HttpResponse:
    """One record, what it is related to, and a user."""
    context: dict[str, object] = {"user": User.objects.get(pk=1 + number % 20)}
    if records := catalogue.records():
        related = [records[(number + place) % len(records)] for place in range(_RELATED)]
        context |= {
            "record": records[number % len(records)],
            "related": len({one["sku"] for one in related}),
            "total": sum(one["price"] + one["size"]["depth"] for one in related),
        }
    return HttpResponse(_TEMPLATE.render(context, request))


def facts(request: HttpRequest) -> JsonResponse:
    """What the worker says of itself."""
    return JsonResponse(catalogue.facts())


urlpatterns = [
    path("admin/", admin.site.urls),
    path("facts", facts),
    path("<int:number>", page),
]
application = get_wsgi_application()
if not _DATABASE.exists():
    call_command("migrate", verbosity=0)
    User.objects.bulk_create([User(username=f"user {number}") for number in range(20)])
    connection.close()
catalogue.records()
