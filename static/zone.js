// The reader's time zone, as the browser knows it. Without this the site's own zone is used.
for (const field of document.querySelectorAll("input[name=zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}
