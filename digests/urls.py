from django.urls import path, re_path

from digests.pages import about, days, papers, searching, sent

app_name = "site"
urlpatterns = [
    path("", days.today, name="today"),
    path("papers/date/<str:date>", days.day, name="day"),
    path("papers/week/<str:week>", papers.week, name="week"),
    path("papers/month/<str:month>", papers.month, name="month"),
    # Ids have slashes in them: doi:10.1101/287961. What ends in .md is for programs.
    re_path(r"^papers/(?P<paper_id>(?!.*\.md$).{1,400})$", papers.paper, name="paper"),
    path("topics/<slug:slug>", papers.topic, name="topic"),
    path("search", searching.search, name="search"),
    path("archive", papers.archive, name="archive"),
    path("about/", about.about, name="about"),
    path("view/<str:token>/", sent.view, name="view"),
]
