"""People and groups in the admin, with what was changed of them written down."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django_otp.plugins.otp_static.admin import StaticDevice
from django_otp.plugins.otp_totp.admin import TOTPDevice

from papers.desk import DeskTable

admin.site.unregister(User)
admin.site.unregister(Group)
# Their own pages, which importing them here makes first, show secrets. Everybody sets up their own second factor on a
# page for that, and only that one.
admin.site.unregister(StaticDevice)
admin.site.unregister(TOTPDevice)


@admin.register(User)
class PeopleAdmin(DeskTable, UserAdmin[User]):
    """Who may sign in. A person's role is their group: Owner, Curator or Viewer."""

    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]


@admin.register(Group)
class RoleAdmin(DeskTable, GroupAdmin):
    """What each role may see and do."""
