// What becomes of an open page when another version of it answers. It goes on as long as it knows the
// format of what comes, and offers the other one. It loads itself anew only where nobody looks, or
// where it cannot show what comes, and says so. Where its reader was is kept across any load.
"use strict";

const renewal = (() => {
  const { assets, format } = document.documentElement.dataset;
  const note = document.querySelector(".renewal");
  const words = note.querySelector("span");
  const load = note.querySelector("[data-load]");
  const PLACE = `foresight:place:${location.pathname}`; // below one host there may be several pages
  const LOADED = `foresight:loaded:${location.pathname}`;
  const AGAIN_MS = 5000; // between two loads by itself, whatever answers
  const UNSEEN_MS = 3000; // a look at another tab is shorter
  const OFFER = "Another version of this page is there. This one goes on; load the other when you like.";
  const WHY =
    "Loaded anew by itself: the page that was open did not know the format of the figures that come now.";
  let isAnother = false;
  let refused = "";
  let waiting = 0;

  // Takes the first event of a stream; tells whether this page can show what follows.
  function understands({ assets: served, format: spoken }) {
    isAnother = served !== assets;
    if (String(spoken) !== format) {
      loadSoon();
      return false;
    }
    clearTimeout(waiting);
    waiting = 0;
    if (isAnother && served !== refused) say(OFFER, served);
    else if (note.dataset.about) note.hidden = true;
    return true;
  }

  function say(text, about) {
    note.dataset.about = about;
    words.textContent = text;
    load.hidden = !about;
    note.hidden = false;
  }

  function loadSoon() {
    if (waiting) return;
    const { atMs = 0 } = kept(LOADED) ?? {};
    const passedMs = Math.max(0, Date.now() - atMs);
    waiting = setTimeout(() => {
      keep(LOADED, { atMs: Date.now(), why: WHY });
      location.reload();
    }, Math.max(0, AGAIN_MS - passedMs));
  }

  // Nobody looks: the other version costs nobody anything, unless a question is open here, or the
  // server is away, which would leave the browser's own page of errors.
  function unseen() {
    if (!isAnother || waiting || document.querySelector("dialog[open]")) return;
    waiting = setTimeout(async () => {
      waiting = 0;
      const answer = await fetch("healthz", { cache: "no-store" }).catch(() => null);
      if (answer?.ok && document.hidden) location.reload();
    }, UNSEEN_MS);
  }

  function seen() {
    clearTimeout(waiting);
    waiting = 0;
  }

  // --- where the reader was -------------------------------------------------------------------

  const openOnes = () => [...document.querySelectorAll("details[open][data-key]")];

  function keepPlace() {
    keep(PLACE, { top: scrollY, open: openOnes().map((each) => each.dataset.key) });
  }

  function comeBack() {
    const told = kept(LOADED);
    if (told?.why) say(told.why, "");
    if (told) keep(LOADED, { atMs: told.atMs });
    if (performance.getEntriesByType("navigation")[0]?.type === "navigate") return;
    const { top = 0, open = [] } = kept(PLACE) ?? {};
    for (const key of open) {
      document.querySelector(`details[data-key="${CSS.escape(key)}"]`)?.setAttribute("open", "");
    }
    scrollTo(0, top);
  }

  // A browser may forbid to keep anything: then a load begins at the top.
  function keep(name, value) {
    try {
      sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      // as said above
    }
  }

  function kept(name) {
    try {
      return JSON.parse(sessionStorage.getItem(name));
    } catch {
      return null;
    }
  }

  load.addEventListener("click", () => location.reload());
  note.querySelector("[data-leave]").addEventListener("click", () => {
    refused = note.dataset.about;
    note.hidden = true;
  });
  addEventListener("pagehide", keepPlace);
  document.addEventListener("foresight:shown", comeBack, { once: true });

  return { understands, seen, unseen };
})();
