// Keeps the page in step: takes regions of HTML from its server's stream of events, changes only
// what differs, and moves what moves with time (countdown, windows, ages). It judges by its own
// clock how old all of that is. It asks nobody but its own server for anything.
"use strict";

window.foresight = (() => {
  const RING = 276.46; // circumference of the countdown's circle
  const PULSE_MS = 6000;
  const OLD_MS = 2600; // the server beats once a second
  const CLOSED_MS = 2000; // another tab may let this browser in
  const RETRY_MS = 500; // while the server itself says no; where it is away the browser retries
  const OURS = new Set(["style", "open", "href"]); // attributes that are set here, or by whoever reads
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let skewMs = 0; // server clock minus ours

  const { pad, clock, when, length } = moments;
  const now = () => Date.now() + skewMs;

  // --- changing only what differs, so that focus, tooltips and movements stay ---------------

  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!OURS.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    morphChildren(old, fresh);
  }

  function morphChildren(old, fresh) {
    const keyed = new Map();
    for (const child of old.children) {
      if (child.dataset.key) keyed.set(child.dataset.key, child);
    }
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = child.dataset?.key;
      const known = key ? keyed.get(key) : place?.dataset?.key ? null : place;
      if (!known) {
        old.insertBefore(child, place);
        continue;
      }
      while (place && place !== known && key && !stays(place, fresh)) {
        const gone = place;
        place = place.nextSibling;
        gone.remove();
      }
      if (place !== known) old.insertBefore(known, place);
      else place = place.nextSibling;
      morph(known, child);
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  }

  function stays(node, fresh) {
    const key = node.dataset?.key;
    return key && [...fresh.children].some((child) => child.dataset.key === key);
  }

  // No style stands in the page itself, so that none that came from outside is followed.
  const dressed = new WeakMap();

  function dress(region) {
    for (const element of region.querySelectorAll("[data-css]")) {
      const css = element.dataset.css;
      if (dressed.get(element) !== css) element.style.cssText = css;
      dressed.set(element, css);
    }
  }

  // Where a link leads depends on who looks: the range in the address, the host name that was used.
  function point(region) {
    for (const link of region.querySelectorAll("a[data-view]")) {
      link.setAttribute("href", link.dataset.view + location.search);
    }
    for (const link of region.querySelectorAll("a[data-port]")) {
      link.setAttribute("href", `//${location.hostname}:${link.dataset.port}/`);
    }
  }

  // --- what moves with time ------------------------------------------------------------------

  const animations = new WeakMap();

  function move(element, key, frames, options, atMs) {
    const running = animations.get(element);
    if (running?.key === key) return;
    running?.animation.cancel();
    const animation = element.animate(frames, options);
    animation.currentTime = atMs;
    animations.set(element, { key, animation });
  }

  function restartMovements() {
    for (const element of document.querySelectorAll(".hand, [data-from][data-until]")) {
      animations.get(element)?.animation.cancel();
      animations.delete(element);
    }
    for (const animation of document.getAnimations()) {
      if (animation.playState === "paused") animation.play();
    }
    startMovements();
  }

  function startMovements() {
    const steps = calm.matches ? "steps(12, end)" : "linear";
    for (const ring of document.querySelectorAll(".ring[data-boundary]")) {
      const period = Number(ring.dataset.period);
      const into = modulo(now() - Number(ring.dataset.boundary), period);
      const frames = [{ strokeDashoffset: 0 }, { strokeDashoffset: -RING }];
      const hand = ring.querySelector(".hand");
      const key = `${period}/${Number(ring.dataset.boundary) % period}/${steps}`;
      move(hand, key, frames, { duration: period, iterations: Infinity, easing: steps }, into);
    }
    for (const bar of document.querySelectorAll("[data-from][data-until]")) {
      const from = Number(bar.dataset.from);
      const length = Number(bar.dataset.until) - from;
      const frames = [{ transform: "scaleX(0)" }, { transform: "scaleX(1)" }];
      const options = { duration: length, fill: "both", easing: steps };
      move(bar, `${from}/${length}/${steps}`, frames, options, now() - from);
    }
  }

  const modulo = (value, by) => ((value % by) + by) % by;

  function write(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }

  function countdown(leftMs, periodMs) {
    const seconds = leftMs / 1000;
    if (periodMs <= 10_000) return seconds.toFixed(1);
    const whole = Math.ceil(seconds);
    return whole < 60 ? String(whole) : `${Math.floor(whole / 60)}:${pad(whole % 60)}`;
  }

  function tick() {
    if (judge()) return; // what moves would look alive
    const ms = now();
    for (const ring of document.querySelectorAll(".ring[data-boundary]")) {
      const period = Number(ring.dataset.period);
      const boundary = Number(ring.dataset.boundary);
      const left = period - modulo(ms - boundary, period);
      write(ring.querySelector(".count"), countdown(left, period));
      const next = document.querySelector("[data-next] time");
      if (next) write(next, clock(ms + left));
    }
    for (const element of document.querySelectorAll("[data-left]")) {
      const left = Math.max(0, Math.ceil((Number(element.dataset.left) - ms) / 1000));
      write(element, `${Math.floor(left / 60)}:${pad(left % 60)}`);
    }
    for (const element of document.querySelectorAll("[data-since]")) {
      write(element, length(ms - Number(element.dataset.since)));
    }
    for (const element of document.querySelectorAll("[data-clock]")) {
      if (!element.closest("[data-next]")) write(element, when(Number(element.dataset.clock), ms));
    }
  }

  // --- the version -----------------------------------------------------------------------------

  let release = null;

  function noticeVersion() {
    const name = document.querySelector("[data-release]");
    if (!name) return;
    const fresh = now() - Number(name.dataset.changed) < PULSE_MS;
    if ((release !== null && release !== name.dataset.release) || (release === null && fresh)) {
      const region = name.closest("[data-region]");
      region.classList.remove("changed");
      void region.offsetWidth; // so that the movement starts anew
      region.classList.add("changed");
      setTimeout(() => region.classList.remove("changed"), PULSE_MS);
    }
    release = name.dataset.release;
  }

  // --- how old it is ---------------------------------------------------------------------------

  const silence = document.querySelector(".silence");
  const dock = document.querySelector(".dock");
  let heard = null; // when, by both clocks of this browser

  // One clock stands still while the machine sleeps, the other one may be set.
  const silentMs = () => Math.max(Date.now() - heard.wall, performance.now() - heard.steady);

  function hear() {
    heard = { wall: Date.now(), steady: performance.now() };
    judge();
  }

  function judge() {
    const isOld = heard !== null && silentMs() > OLD_MS;
    const root = document.documentElement;
    if (root.classList.contains("old") !== isOld) {
      root.classList.toggle("old", isOld);
      silence.hidden = !isOld;
      for (const animation of document.getAnimations()) {
        if (isOld) animation.pause();
      }
      if (!isOld) restartMovements();
    }
    if (isOld) {
      write(
        silence,
        `No word from the page's server for ${length(silentMs())}. What stands here is as it was then.`,
      );
      document.title = "? " + title;
    } else if (document.title !== title) document.title = title;
    return isOld;
  }

  // --- what the server tells -------------------------------------------------------------------

  let title = document.title;
  let stream = null;
  let again = 0;

  function show({ regions, title: fresh, running }) {
    title = fresh;
    document.documentElement.classList.toggle("stopped", !running);
    for (const [name, html] of Object.entries(regions)) {
      const region = document.querySelector(`[data-region="${name}"]`);
      if (!region) continue;
      const template = document.createElement("template");
      template.innerHTML = html;
      morphChildren(region, template.content);
      dress(region);
      point(region);
    }
    document.dispatchEvent(new CustomEvent("foresight:shown"));
    hear();
    noticeVersion();
    startMovements();
    tick();
  }

  function beat({ now_ms }) {
    skewMs = now_ms - Date.now();
    hear();
    tick();
  }

  function hello(said) {
    close(false);
    if (!renewal.understands(said)) leave(); // what follows cannot be shown here
  }

  function follow() {
    clearTimeout(again);
    if (stream !== null || document.hidden) return; // six streams of one browser are all it has
    stream = new EventSource("events");
    for (const [name, take] of Object.entries({ hello, show, beat })) {
      stream.addEventListener(name, (event) => take(JSON.parse(event.data)));
    }
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) return;
      leave();
      askWhy();
    });
  }

  // A stream says not why it was refused.
  async function askWhy() {
    let isClosed = false;
    try {
      isClosed = (await fetch("session", { cache: "no-store" })).status === 401;
    } catch {
      // away for a moment: the next try tells
    }
    close(isClosed);
    again = setTimeout(follow, isClosed ? CLOSED_MS : RETRY_MS);
  }

  // --- being let in ----------------------------------------------------------------------------

  const closed = document.querySelector(".closed");

  function close(isClosed) {
    closed.hidden = !isClosed;
    document.documentElement.classList.toggle("shut", isClosed);
    if (!isClosed) return;
    heard = null;
    for (const region of document.querySelectorAll("[data-region]")) region.replaceChildren();
  }

  // The token stands behind the `#`, which no browser sends; it is changed into a cookie at once.
  async function comeIn() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token === null) return;
    history.replaceState(null, "", location.pathname + location.search);
    const headers = { Authorization: `Bearer ${token}` };
    try {
      await fetch("login", { method: "POST", headers, cache: "no-store" });
    } catch {
      // the stream tells whether somebody is there
    }
    leave();
    follow();
  }

  function leave() {
    stream?.close();
    stream = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      leave();
      renewal.unseen();
    } else {
      renewal.seen();
      tick();
      follow();
    }
  });
  // Room that was needed once stays: whoever has scrolled to the end would see the page move.
  new ResizeObserver(() => {
    dock.style.minHeight = `${dock.offsetHeight}px`;
  }).observe(dock);
  addEventListener("hashchange", comeIn);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", follow);
  calm.addEventListener("change", startMovements);
  setInterval(tick, 100);
  if (location.hash) comeIn();
  else follow();

  point(document);

  return { show, point };
})();
