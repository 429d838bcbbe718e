from django.urls import path, re_path

from subscriptions.pages import community, confirming, leaving, managing, outside, own, signing_in, signup, submitting

app_name = "subscriptions"
urlpatterns = [
    path("subscribe/", signup.subscribe, name="subscribe"),
    path("subscribe/check-your-inbox/", signup.check_inbox, name="check_inbox"),
    path("subscribe/challenge/", signup.challenge, name="challenge"),
    path("subscribe/volume/", signup.volume, name="volume"),
    path("subscribe/embed/", outside.embed, name="embed"),
    path("subscribe/embedded/", outside.embedded, name="embedded"),
    path("api/subscribe/", outside.api, name="api"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-in/<str:token>/", signing_in.open_link, name="sign-in"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("me/", community.me, name="me"),
    path("me/name/", community.name, name="name"),
    path("vote/<path:paper_id>/", community.vote, name="vote"),
    path("claim/<path:paper_id>/", community.claim, name="claim"),
    path("submit/", submitting.submit, name="submit"),
    path("privacy/", signup.privacy, name="privacy"),
    path("confirm/<str:token>/", confirming.confirm, name="confirm"),
    path("manage/<str:token>/", managing.manage, name="manage"),
    path("manage/<str:token>/pause/", managing.pause_page, name="pause"),
    path("manage/<str:token>/mail-me/", managing.mail_me, name="mail_me"),
    path("manage/<str:token>/clear/", managing.clear, name="clear"),
    path("signal/<str:token>/", managing.signals, name="signal"),
    re_path(
        r"^signal/(?P<token>[^/]+)/(?P<leaning>more|less)/(?P<paper_id>[0-9]{1,18})/$",
        managing.signal,
        name="signal_paper",
    ),
    path("unsubscribe/<str:token>/", leaving.unsubscribe_page, name="unsubscribe"),
    path("unsubscribe/<str:token>/undo/", leaving.undo, name="undo"),
    path("archive/<str:token>/", own.archive, name="archive"),
    path("export/<str:token>/", own.export, name="export"),
    path("erase/<str:token>/", own.erase, name="erase"),
    path("address/<str:token>/", own.change_address, name="address"),
    path("new-address/<str:token>/", own.new_address, name="new-address"),
    path("keep/<str:token>/", own.keep, name="keep"),
]
