"""People and groups in the admin, with what was changed of them written down."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from papers.desk import DeskTable

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PeopleAdmin(DeskTable, UserAdmin[User]):
    """Who may sign in. A person's role is their group: Owner, Curator or Viewer."""

    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]


@admin.register(Group)
class RoleAdmin(DeskTable, GroupAdmin):
    """What each role may see and do."""
