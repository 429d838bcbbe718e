from django.urls import path

from digests.pages import days

app_name = "site"
urlpatterns = [
    path("", days.today, name="today"),
    path("papers/date/<str:date>", days.day, name="day"),
]
