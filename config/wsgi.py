"""The door for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

from config.celery import app

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# A request rings a bell and goes on, also where the broker refuses or hangs: the sweeper finds within a minute what was
# not heard. The last four are for kombu, which would try to connect again and again before it gives up.
app.conf.task_publish_retry = False
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
