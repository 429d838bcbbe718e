// The reader's time zone, as the browser knows it. Without this the site's own zone is used.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
for (const field of document.querySelectorAll("input[name=zone]")) {
  field.value = zone;
}
for (const list of document.querySelectorAll("select[name=zone]")) {
  // What somebody chose stays: the list comes back after a mistake elsewhere, with their choice in it.
  if (!zone || list.form.querySelector("[aria-invalid]") || list.dataset.chosen) continue;
  if (![...list.options].some((option) => option.value === zone)) {
    list.add(new Option(zone.replaceAll("_", " "), zone), 0);
  }
  list.value = zone;
}
