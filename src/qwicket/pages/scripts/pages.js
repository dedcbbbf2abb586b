"use strict";

// Keeps selection, folds and focus while htmx replaces a part.
document.addEventListener("htmx:beforeSwap", (event) => {
  const keep = (selector, key) => [...document.querySelectorAll(selector)].map((each) => each[key]);
  const checked = keep("input[name=job]:checked", "value");
  const opened = keep("details[open][id]", "id");
  const active = document.activeElement;
  document.addEventListener("htmx:afterSwap", () => {
    if (!active.isConnected) {
      const same = (each) => each.textContent === active.textContent;
      [...document.querySelectorAll(active.tagName)].find(same)?.focus();
    }
    for (const value of checked) {
      const found = document.querySelector(`input[name=job][value="${CSS.escape(value)}"]`);
      if (found) found.checked = true;
    }
    for (const id of opened) {
      const found = document.getElementById(id);
      if (found) found.open = true;
    }
  }, { once: true });
});

// Buttons that copy a text: a page that is not secure has none.
if (navigator.clipboard) {
  const show = () => {
    for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
  };
  show();
  document.addEventListener("htmx:afterSettle", show);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}
