// Tells below the strip what is known of one of its cycles: the one that is pointed at, else the one
// that was tapped or chosen by the arrow keys. Without one, how to choose one stands there.
"use strict";

(() => {
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
  let chosen = null; // keys of cycles
  let pointed = null;

  const strip = () => document.querySelector(".runs");
  const cells = () => [...document.querySelectorAll(".runs .cell")];
  const of = (key) => cells().find((cell) => cell.dataset.key === key);

  function tell() {
    const line = document.querySelector("[data-told]");
    if (!line) return;
    const cell = of(pointed) ?? of(chosen);
    for (const each of cells()) each.classList.toggle("chosen", each === cell);
    line.textContent = cell?.dataset.says ?? line.dataset.told;
    const told = of(chosen) ?? cells().at(-1);
    strip().setAttribute("aria-valuenow", told.dataset.key.slice(1));
    strip().setAttribute("aria-valuetext", told.dataset.says);
  }

  function choose(key) {
    chosen = key;
    pointed = null;
    tell();
  }

  function step({ key }) {
    const all = cells();
    if (key === "Home") return all[0];
    if (key === "End") return all.at(-1);
    if (!(key in STEPS)) return null;
    const at = chosen ? all.findIndex((cell) => cell.dataset.key === chosen) : all.length;
    return all[Math.min(Math.max(at + STEPS[key], 0), all.length - 1)];
  }

  document.addEventListener("foresight:shown", tell);
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(".runs")) return;
    const cell = step(event);
    if (event.key === "Escape") choose(null);
    else if (cell) choose(cell.dataset.key);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", ({ target }) => {
    const cell = target.closest?.(".runs .cell");
    if (cell) choose(cell.dataset.key === chosen ? null : cell.dataset.key);
  });
  document.addEventListener("pointerover", ({ target, pointerType }) => {
    const key = pointerType === "mouse" ? (target.closest?.(".runs .cell")?.dataset.key ?? null) : null;
    if (key === pointed) return;
    pointed = key;
    tell();
  });
})();
