// What a topic would match, while it is being written. Without this the form's own button shows it on a page.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector("[data-matches]");
  if (!place) return;
  const form = place.closest("form");
  let waiting = 0;
  let latest = 0;
  const look = async () => {
    const mine = ++latest;
    try {
      const answer = await fetch(place.dataset.matches, {
        method: "POST",
        body: new FormData(form),
        headers: { "X-Requested-With": "fetch" },
      });
      if (answer.ok && mine === latest) place.innerHTML = await answer.text();
    } catch {
      // Away from the network the last look stays.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, 700);
  });
  look();
});
