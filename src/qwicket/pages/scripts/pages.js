"use strict";

// Keeps what a person has selected or opened while htmx replaces a part of a page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const keep = (selector) => [...document.querySelectorAll(selector)].map((each) => each.id);
  const checked = keep("input:checked[id]");
  const opened = keep("details[open][id]");
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of checked) {
      const found = document.getElementById(id);
      if (found) found.checked = true;
    }
    for (const id of opened) {
      const found = document.getElementById(id);
      if (found) found.open = true;
    }
  }, { once: true });
});

// Buttons that copy a text. Without this script, or on a page that is not secure, there are none.
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
