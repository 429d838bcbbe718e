// What the public pages can do more with a script: marks for what is new, keys, copying. Nothing of it is sent anywhere.
"use strict";
const store = {
  get: (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
  },
  set: (name, value) => {
    try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* A browser that keeps nothing. */ }
  },
};
const papers = [...document.querySelectorAll(".paper h3 a")];

// New is what this browser has not listed before; on the first visit nothing is.
const MOST_KEPT = 4000;
if (papers.length) {
  const seen = store.get("papers-seen", []);
  const known = new Set(seen);
  const fresh = papers.filter((link) => !known.has(link.pathname));
  if (seen.length) {
    for (const link of fresh) {
      const mark = document.createElement("span");
      mark.className = "badge new";
      mark.textContent = "New";
      link.after(" ", mark);
    }
  }
  store.set("papers-seen", [...seen, ...fresh.map((link) => link.pathname)].slice(-MOST_KEPT));
}

// j and k go from paper to paper, / to the search, ? says so. Never while something is typed, and not with Ctrl or Alt.
const help = () => {
  let box = document.querySelector("dialog.keys");
  if (!box) {
    box = document.createElement("dialog");
    box.className = "keys";
    box.setAttribute("aria-labelledby", "keys-heading");
    box.innerHTML = `<h2 id="keys-heading">Keys</h2><dl class="facts"><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous paper</dd><dt><kbd>Enter</kbd></dt><dd>open it</dd><dt><kbd>/</kbd></dt><dd>search</dd><dt><kbd>?</kbd></dt><dd>this list</dd></dl><p class="check"><label><input type="checkbox"> Use these keys</label></p><form method="dialog"><button>Close</button></form>`;
    const tick = box.querySelector("input");
    tick.checked = store.get("keys", true);
    tick.addEventListener("change", () => store.set("keys", tick.checked));
    document.body.append(box);
  }
  if (!box.open) box.showModal();
};
const step = (by) => {
  const at = papers.indexOf(document.activeElement);
  const next = papers[at < 0 ? (by > 0 ? 0 : -1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "?") { help(); return; }
  if (!store.get("keys", true)) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/") {
    event.preventDefault();
    const field = document.querySelector("input[type=search][name=q]");
    if (field) field.focus();
    else location.assign(document.querySelector("[data-search-page]").href);
  }
});

for (const text of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected: press Ctrl and C";
    }
  });
  text.before(button);
}
