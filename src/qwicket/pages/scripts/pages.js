"use strict";

// Keeps what a person has selected or opened while htmx replaces a part of a page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const target = event.detail.target;
  const keep = (selector) => [...target.querySelectorAll(selector)].map((each) => each.id);
  const checked = keep("input:checked[id]");
  const opened = keep("details[open][id]");
  target.ownerDocument.addEventListener("htmx:afterSwap", () => {
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
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = "Copied";
    });
  }
}
