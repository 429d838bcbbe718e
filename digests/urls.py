from django.urls import path

from digests.pages import days, sent

app_name = "site"
urlpatterns = [
    path("", days.today, name="today"),
    path("papers/date/<str:date>", days.day, name="day"),
    path("view/<str:token>/", sent.view, name="view"),
]
