// The desk without reloads. Everything works without this file; with it the page stays where it is, notes show how
// they will read, picks move by dragging, and the countdown counts.
"use strict";

(() => {
  const form = () => document.getElementById("today-form");
  let busy = false;
  let asked = "";

  const say = (text) => {
    const said = document.getElementById("said");
    if (said) said.textContent = text;
  };

  const typedIn = (root) => [...root.querySelectorAll("input:not([type=hidden]), textarea, select")].filter((field) => field.name);

  // --- saving without a reload -----------------------------------------------------------------------------------

  // What is typed while an answer is on its way goes into the new page: a value that differs from what was sent.
  const carryOver = (sent, fresh) => {
    let carried = false;
    for (const field of typedIn(document.getElementById("desk"))) {
      if (sent.has(field.name) && sent.get(field.name) !== field.value) {
        const next = fresh.querySelector(`[name="${CSS.escape(field.name)}"]`);
        if (next) next.value = field.value;
        carried = true;
      }
    }
    return carried;
  };

  const nextFocus = (id) => {
    // The paper that was pressed may be gone from its list: go to what stands in its place.
    const [, list, number] = /^(pick-it|hide|unpick|restore|up|down)-(\d+)$/.exec(id) || [];
    if (!list) return [id];
    if (list === "hide") return [`hidden_reason-${number}`];
    if (list === "up" || list === "down") return [`${list}-${number}`, `${list === "up" ? "down" : "up"}-${number}`];
    const items = [...document.querySelectorAll("#desk li[id]")];
    const here = items.findIndex((item) => item.contains(document.getElementById(id)));
    const after = items.slice(here + 1).map((item) => item.querySelector("button[id]")?.id);
    return [...after.filter(Boolean).slice(0, 3), "q"];
  };

  const swap = (html, sent, focusIds, url) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const desk = fresh.getElementById("desk");
    if (!desk) {
      window.location.assign(url);
      return;
    }
    const carried = carryOver(sent, desk);
    const open = [...document.querySelectorAll("#desk li[id] details[open]")].map((part) => part.closest("li").id);
    const [x, y] = [window.scrollX, window.scrollY];
    document.getElementById("desk").replaceWith(desk);
    // A clash has a page of its own.
    document.title = fresh.title;
    const heading = document.querySelector("#content > h1");
    if (heading) heading.textContent = fresh.querySelector("#content > h1")?.textContent || heading.textContent;
    for (const id of open) document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
    window.scrollTo(x, y);
    const told = [...fresh.querySelectorAll(".messagelist li")].map((item) => item.textContent.trim());
    showMessages(fresh);
    const target = focusIds.map((id) => document.getElementById(id)).find((field) => field && !field.disabled);
    target?.focus({ preventScroll: !focusIds[0]?.startsWith("hidden_reason") && !focusIds[0]?.startsWith("note") });
    say(told.join(" "));
    ready();
    if (carried) form().dataset.dirty = "1";
    document.getElementById("problems")?.focus();
  };

  const showMessages = (fresh) => {
    document.querySelector(".messagelist")?.remove();
    const list = fresh.querySelector(".messagelist");
    if (list) document.querySelector(".today-bar")?.append(list);
  };

  const renewToken = async (data) => {
    const answer = await fetch(form().action);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("today-form");
    const token = fresh?.elements.csrfmiddlewaretoken?.value;
    if (token) {
      form().elements.csrfmiddlewaretoken.value = token;
      data.set("csrfmiddlewaretoken", token);
    }
    return Boolean(token);
  };

  const send = async (button) => {
    if (busy) return;
    busy = true;
    const data = new FormData(form(), button);
    const sent = new Map(typedIn(form()).map((field) => [field.name, field.value]));
    const focusIds = nextFocus(button?.id || document.activeElement?.id || "");
    document.getElementById("desk").setAttribute("aria-busy", "true");
    try {
      const post = () => fetch(form().action, { method: "POST", body: data, headers: { "X-Desk": "1" } });
      let answer = await post();
      // Somebody who signed in again has another token.
      if (answer.status === 403 && (await renewToken(data))) answer = await post();
      if (answer.status === 403 || new URL(answer.url).pathname.endsWith("/login/")) {
        window.alert("You are signed out, or may not do this. What you typed is still here: sign in in another tab, and press once more.");
        return;
      }
      const html = await answer.text();
      if (answer.redirected && !new URL(answer.url).pathname.match(/\/edition\/\d+\/change\/$/)) {
        window.location.assign(answer.url);
        return;
      }
      if (answer.ok) window.history.replaceState(null, "", answer.url);
      swap(html, sent, focusIds, answer.url);
    } catch {
      say("The site does not answer. Nothing is lost: press once more in a moment.");
      window.alert("The site does not answer. What you typed is still here: press once more in a moment.");
    } finally {
      busy = false;
      document.getElementById("desk")?.removeAttribute("aria-busy");
    }
  };

  const isPlain = (button) => /^(preview|correct|publish)/.test(button?.value || "");

  document.addEventListener("submit", (event) => {
    if (event.target !== form() || isPlain(event.submitter)) return;
    event.preventDefault();
    if (event.submitter?.dataset.reach) showReach(event.submitter);
    else send(event.submitter);
  });

  // --- search and filters ----------------------------------------------------------------------------------------

  const sift = async () => {
    if (!form()) return;
    const names = ["q", "topic", "source", "sort"];
    const values = names.map((name) => [name, document.getElementById(name).value]).filter(([, value]) => value);
    const query = new URLSearchParams(values).toString();
    asked = query;
    const answer = await fetch(`${form().getAttribute("action")}?${query}`, { headers: { "X-Desk": "1" } });
    if (!answer.ok || asked !== query) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("candidate-list");
    if (fresh) document.getElementById("candidate-list").replaceWith(fresh);
    window.history.replaceState(null, "", `${window.location.pathname}?${query}`);
  };

  let waiting = 0;
  const siftSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(sift, 250);
  };

  // --- notes as they will read -----------------------------------------------------------------------------------

  const timers = new Map();
  const showLive = (field) => {
    clearTimeout(timers.get(field.id));
    timers.set(
      field.id,
      setTimeout(async () => {
        // A clash may have taken the form's place meanwhile.
        if (!form()) return;
        const data = new FormData();
        data.set("text", field.value);
        data.set("csrfmiddlewaretoken", form().elements.csrfmiddlewaretoken.value);
        if ("inline" in field.dataset) data.set("inline", "1");
        const answer = await fetch(form().dataset.markdown, { method: "POST", body: data });
        const live = document.getElementById(field.dataset.live);
        if (!answer.ok || answer.redirected || !live) return;
        live.innerHTML = await answer.text(); // Sanitised by the site, as in mails.
        live.hidden = !field.value.trim();
      }, 250),
    );
  };

  document.addEventListener("input", (event) => {
    if (event.target.dataset?.live) showLive(event.target);
    if (event.target.id === "q") siftSoon();
    if (event.target.closest?.("#today-form") && !event.target.closest(".today-sieve")) form().dataset.dirty = "1";
  });
  document.addEventListener("change", (event) => {
    if (["topic", "source", "sort"].includes(event.target.id)) sift();
  });
  window.addEventListener("beforeunload", (event) => {
    if (form()?.dataset.dirty) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (isPlain(event.target.closest?.("button"))) delete form().dataset.dirty;
  });

  // --- order by dragging and by keyboard ---------------------------------------------------------------------------

  let dragged = null;
  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".today-pick[draggable]");
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.id);
    dragged.classList.add("today-dragged");
  });
  document.addEventListener("dragover", (event) => {
    const over = event.target.closest?.(".today-pick");
    if (!dragged || !over) return;
    event.preventDefault();
    if (over === dragged) return;
    const box = over.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) over.before(dragged);
    else over.after(dragged);
  });
  document.addEventListener("drop", (event) => {
    if (dragged && event.target.closest?.(".today-picks")) event.preventDefault();
  });
  document.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("today-dragged");
    dragged = null;
    send(null);
  });
  document.addEventListener("keydown", (event) => {
    const pick = event.target.closest?.(".today-pick");
    if (!pick || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const step = event.key === "ArrowUp" ? "up" : "down";
    const button = document.getElementById(`${step}-${pick.id.slice("pick-".length)}`);
    if (button && !button.disabled) send(button);
  });
  // Text in a field is marked with the mouse, and not dragged away with its paper.
  document.addEventListener("focusin", (event) => {
    event.target.closest?.(".today-pick") && event.target.matches("textarea, input") && event.target.closest(".today-pick").setAttribute("draggable", "false");
  });
  document.addEventListener("focusout", (event) => {
    event.target.closest?.(".today-pick")?.setAttribute("draggable", "true");
  });

  // --- who gets it -------------------------------------------------------------------------------------------------

  const showReach = async (button) => {
    const item = button.closest("li");
    const known = item.querySelector(".today-reach");
    if (known) {
      known.remove();
      return;
    }
    const box = document.createElement("div");
    box.className = "today-reach";
    box.setAttribute("role", "status");
    box.textContent = "Choosing for every reader …";
    item.append(box);
    const answer = await fetch(button.dataset.reach, { headers: { "X-Desk": "1" } });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("reach");
    if (found) box.replaceChildren(...found.childNodes);
    else box.textContent = "That could not be found out now.";
  };

  // --- the countdown -----------------------------------------------------------------------------------------------

  const count = () => {
    const time = document.getElementById("countdown");
    if (!time) return;
    const left = Math.floor((Date.parse(time.dateTime) - Date.now()) / 1000);
    const two = (number) => String(number).padStart(2, "0");
    if (left <= 0) time.textContent = "now";
    else time.textContent = `in ${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  };
  setInterval(count, 1000);

  const ready = () => {
    count();
    delete form()?.dataset.dirty;
  };
  ready();
})();
