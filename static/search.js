// Shows what is found while somebody types. Without it the form works the same, by its button.
(() => {
  const form = document.querySelector("[data-search]");
  const found = document.querySelector("[data-found]");
  let timer, running;
  const address = () => {
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value && !(name === "order" && value === "relevance")) asked.set(name, value);
    return asked;
  };
  const ask = async () => {
    running?.abort();
    running = new AbortController();
    const asked = address();
    const own = `${form.action}${asked.size ? `?${asked}` : ""}`;
    try {
      const answer = await fetch(`${form.action}?${asked}${asked.size ? "&" : ""}fragment=1`, { signal: running.signal });
      if (!answer.ok) return;
      found.innerHTML = await answer.text();
      history.replaceState(null, "", own);
    } catch (error) {
      if (error.name !== "AbortError") found.setAttribute("data-stale", "");
    }
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 150); });
})();
