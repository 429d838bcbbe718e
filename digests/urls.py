from django.urls import path

from digests.pages import about, days, sent

app_name = "site"
urlpatterns = [
    path("", days.today, name="today"),
    path("papers/date/<str:date>", days.day, name="day"),
    path("about/", about.about, name="about"),
    path("view/<str:token>/", sent.view, name="view"),
]
