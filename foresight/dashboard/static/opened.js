// What moves with time on an opened view: its age, and instants in local time. The view itself shows
// one moment, and says which.
"use strict";

(() => {
  const page = document.querySelector("[data-now]");
  if (!page) return;
  const loadedMs = performance.now();
  const wallMs = Date.now();

  for (const element of document.querySelectorAll("[data-clock]")) {
    element.textContent = moments.when(Number(element.dataset.clock), wallMs);
  }
  for (const element of document.querySelectorAll("[data-date]")) {
    const ms = Number(element.dataset.date);
    element.textContent = `${moments.day(ms)} ${moments.clock(ms)}`;
  }
  for (const element of document.querySelectorAll("[data-css]")) {
    element.style.cssText = element.dataset.css;
  }

  // One clock stands still while the machine sleeps, the other one may be set.
  const age = document.querySelector("[data-age]");
  setInterval(() => {
    const words = moments.length(Math.max(performance.now() - loadedMs, Date.now() - wallMs));
    if (age.textContent !== words) age.textContent = words;
  }, 1000);
})();
