from django.urls import path, re_path

from digests.pages import about, archive, cards, days, health, maps, papers, searching, sent

app_name = "site"
urlpatterns = [
    path("", days.today, name="today"),
    path("papers/date/<str:date>", days.day, name="day"),
    path("papers/week/<str:week>", papers.week, name="week"),
    path("papers/month/<str:month>", papers.month, name="month"),
    path("papers/date/<str:date>/card.png", cards.day_card, name="day_card"),
    path("papers/trending", papers.trending, name="trending"),
    path("papers/author/<path:name>", papers.author, name="author"),
    re_path(r"^papers/(?P<paper_id>.{1,400})/card\.png$", cards.paper_card, name="paper_card"),
    # Ids have slashes in them: doi:10.1101/287961. What ends in .md is for programs.
    re_path(r"^papers/(?P<paper_id>(?!.*\.md$).{1,400})$", papers.paper, name="paper"),
    path("topics/<slug:slug>", papers.topic, name="topic"),
    path("search", searching.search, name="search"),
    path("archive", archive.archive, name="archive"),
    path("status", health.status, name="status"),
    path("card.png", cards.site_card, name="card"),
    path("sitemap.xml", maps.index, name="sitemap"),
    path("sitemap-<str:name>.xml", maps.part, name="sitemap_part"),
    path("robots.txt", maps.robots, name="robots"),
    path("about/", about.about, name="about"),
    path("view/<str:token>/", sent.view, name="view"),
]
