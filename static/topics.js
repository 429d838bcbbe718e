// Finding topics while typing, and how many papers a day the choice stands for while boxes are ticked. Without this the
// form's own buttons do both.
for (const form of document.querySelectorAll("form.choices")) {
  const finder = form.querySelector("input[type=search]");
  const status = form.querySelector("[data-volume]");
  const boxes = [...form.querySelectorAll("input[name=topics]")];
  if (finder) {
    finder.parentElement.querySelector("button").hidden = true;
    finder.addEventListener("input", () => show(finder.value, boxes));
    // Enter would send the whole form.
    finder.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  }
  if (status) {
    let latest = 0;
    form.addEventListener("change", async (event) => {
      if (event.target.name !== "topics") return;
      const mine = ++latest;
      const query = new URLSearchParams(boxes.filter((box) => box.checked).map((box) => ["topics", box.value]));
      try {
        const answer = await fetch(`${status.dataset.volume}?${query}`);
        if (answer.ok && mine === latest) status.textContent = (await answer.json()).text;
      } catch {
        // Away from the network the last count stays.
      }
    });
  }
}

function show(text, boxes) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const box of boxes) {
    const label = box.closest("label");
    const said = label.textContent.toLowerCase();
    label.hidden = !box.checked && !words.every((word) => said.includes(word));
  }
  for (const group of new Set(boxes.map((box) => box.closest("details.group")))) {
    group.hidden = !group.querySelector("label:not([hidden])");
    if (words.length) group.open = true;
  }
}
