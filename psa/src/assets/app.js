// What a page gains with scripts: it says which fields were changed, asks before changes are lost, and says when the
// figures on it are no longer fresh. Everything else works without.
"use strict";
(() => {
  const title = document.title;
  let isSending = false;

  const initial = (field) =>
    field.type === "checkbox" || field.type === "radio" ? field.defaultChecked
      : field.tagName === "SELECT" ? ([...field.options].find((o) => o.defaultSelected) || field.options[0]).value
        : field.defaultValue;
  const current = (field) => (field.type === "checkbox" || field.type === "radio" ? field.checked : field.value);
  const fields = () => document.querySelectorAll("form[data-watch] :is(input:not([type=hidden]), select, textarea)");

  // A form that came back with an error holds text that is nowhere else.
  const isKept = () => document.querySelector("form[data-watch][data-kept]") !== null;
  const isChanged = () => isKept() || [...fields()].some((field) => initial(field) !== current(field));

  const mark = () => {
    for (const field of fields()) {
      field.closest(".field")?.classList.toggle("changed",
        [...field.closest(".field").querySelectorAll("input, select, textarea")].some((f) => initial(f) !== current(f)));
    }
    document.title = isChanged() ? `${title} • changed` : title;
  };

  document.addEventListener("input", mark);
  document.addEventListener("reset", () => setTimeout(mark));
  document.addEventListener("submit", () => { isSending = true; });
  window.addEventListener("pageshow", () => { isSending = false; mark(); });
  window.addEventListener("beforeunload", (event) => {
    if (!isSending && document.querySelector("form[data-watch]") && isChanged()) event.preventDefault();
  });

  // Figures that could not be refreshed must not look fresh.
  const stale = (text) => { for (const place of document.querySelectorAll("[data-stale]")) place.textContent = text; };
  const failed = () => stale("No answer at the last try: what you see is older. Trying again every 5 seconds.");
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:timeout", failed);
  document.addEventListener("htmx:afterSwap", () => stale(""));
})();
