"""Addresses for programs: the API and the feeds."""

from django.urls import path, re_path

from digests.api import views
from digests.syndication import views as feeds

app_name = "api"
urlpatterns = [
    path("api/daily_papers", views.daily_papers, name="daily_papers"),
    path("api/papers/search", views.search, name="search"),
    path("api/papers/<path:paper_id>", views.paper, name="paper"),
    path("api/openapi.json", views.openapi, name="openapi"),
    re_path(r"^papers/(?P<paper_id>.{1,400})\.md$", views.markdown, name="markdown"),
    re_path(r"^feeds/today\.(?P<form>atom|rss|json)$", feeds.today, name="feed_today"),
    re_path(r"^feeds/topic/(?P<slug>[-a-z0-9_]{1,50})\.(?P<form>atom|rss|json)$", feeds.topic, name="feed_topic"),
    re_path(r"^feeds/search\.(?P<form>atom|rss|json)$", feeds.search, name="feed_search"),
]
