// The reader's time zone, as the browser knows it. Without this the site's own zone is used.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
for (const field of document.querySelectorAll("input[name=zone]")) {
  field.value = zone;
}
for (const list of document.querySelectorAll("select[name=zone]")) {
  // What somebody chose stays: the form comes back after a look or a mistake, with their choice in it.
  if (!zone || "chosen" in list.dataset) continue;
  if (![...list.options].some((option) => option.value === zone)) {
    list.add(new Option(zone.replaceAll("_", " "), zone), 0);
  }
  list.value = zone;
}
