"""Three groups to put people into: what each may see and do. The owner may change them; this makes them once."""

from django.db import migrations

LOOK = {
    "papers": [
        "source",
        "paper",
        "topic",
        "fetch",
        "sourcechange",
        "sourceday",
        "backfill",
        "announcement",
        "dailysignal",
        "oneliner",
    ],
    "digests": ["edition", "editionpaper", "deskchange", "comparison"],
}
CURATE = {
    "papers": {"paper": ["change"], "oneliner": ["change"], "topic": ["add", "change"]},
    "digests": {"edition": ["change"], "editionpaper": ["change"]},
}
# Of the owner's tables, what the admin shows; records are looked at and not changed, whoever one is.
OWN = {
    "papers": ["source", "paper", "topic", "fetch", "sourcechange", "backfill", "oneliner"],
    "digests": [
        "edition",
        "editionpaper",
        "deskchange",
        "delivery",
        "skippedday",
        "letter",
        "letterdelivery",
        "comparison",
    ],
    "subscriptions": [
        "subscriber",
        "subscription",
        "wishes",
        "consentevent",
        "subscriberimport",
        "suppression",
        "notice",
        "mailevent",
    ],
    "auth": ["user", "group"],
    "admin": ["logentry"],
}
ACTIONS = ["view", "add", "change", "delete"]


def make_roles(apps, schema_editor):
    wanted = {
        "Viewer": {(app, model, "view") for app, models in LOOK.items() for model in models},
        "Owner": {(app, model, action) for app, models in OWN.items() for model in models for action in ACTIONS},
    }
    wanted["Curator"] = wanted["Viewer"] | {
        (app, model, action)
        for app, models in CURATE.items()
        for model, actions in models.items()
        for action in actions
    }
    group_model = apps.get_model("auth", "Group")
    for name, rights in wanted.items():
        group, is_new = group_model.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set([permission(apps, *right) for right in sorted(rights)])


def permission(apps, app, model, action):
    """The right that Django makes after all migrations, under the very name it gives it: it finds it there."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    verbose = apps.get_model(app, model)._meta.verbose_name
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=f"{action}_{model}", defaults={"name": f"Can {action} {verbose}"}
    )
    return found


def forget_roles(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=["Owner", "Curator", "Viewer"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0008_desk"),
        ("papers", "0009_corrections"),
        ("subscriptions", "0008_language"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, forget_roles)]
