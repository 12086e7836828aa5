// What moves with time on an opened view: its age, and instants in local time. The view itself shows
// one moment, and says which.
"use strict";

(() => {
  const page = document.querySelector("[data-now]");
  if (!page) return;
  const loadedMs = performance.now();
  const wallMs = Date.now();
  const pad = (number) => String(number).padStart(2, "0");

  function clock(date) {
    return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  }

  function length(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (minutes === 0) return `${seconds} s`;
    if (hours === 0) return `${minutes} min`;
    return `${hours} h ${minutes % 60} min`;
  }

  for (const element of document.querySelectorAll("[data-clock]")) {
    element.textContent = clock(new Date(Number(element.dataset.clock)));
  }
  for (const element of document.querySelectorAll("[data-date]")) {
    const date = new Date(Number(element.dataset.date));
    const days = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
    element.textContent = `${days} ${clock(date)}`;
  }
  for (const element of document.querySelectorAll("[data-css]")) {
    element.style.cssText = element.dataset.css;
  }

  // One clock stands still while the machine sleeps, the other one may be set.
  const age = document.querySelector("[data-age]");
  setInterval(() => {
    const words = length(Math.max(performance.now() - loadedMs, Date.now() - wallMs));
    if (age.textContent !== words) age.textContent = words;
  }, 1000);
})();
