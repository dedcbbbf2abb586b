// Keeps what a person has selected or opened while htmx replaces a part of a page.
"use strict";
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
