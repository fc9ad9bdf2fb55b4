"use strict";

// Buttons that leave only the rows and cases of one verdict.
const filters = [...document.querySelectorAll("[data-filter]")];
for (const button of filters) {
  button.addEventListener("click", () => {
    for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
    for (const item of document.querySelectorAll("[data-verdict]"))
      item.hidden = Boolean(button.dataset.filter) && item.dataset.verdict !== button.dataset.filter;
  });
}

// A file that cannot be loaded says so where it would have been.
function reportMissing(media) {
  media.hidden = true;
  media.closest("figure").querySelector(".missing").hidden = false;
}
for (const media of document.querySelectorAll("[data-media]")) {
  media.addEventListener("error", () => reportMissing(media));
  if (media.error || (media.complete && media.naturalWidth === 0)) reportMissing(media);
}
