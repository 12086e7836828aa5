// Keeps the page in step: takes regions of HTML from the server, changes only what differs, and
// moves what moves with time (countdown, windows, ages). It asks nobody for anything.
"use strict";

window.foresight = (() => {
  const RING = 276.46; // circumference of the countdown's circle
  const PULSE_MS = 6000;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let skewMs = 0; // server clock minus ours

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
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
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

  const pad = (number) => String(number).padStart(2, "0");

  function clock(ms) {
    const date = new Date(ms);
    return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  }

  function length(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (minutes === 0) return `${seconds} s`;
    if (hours === 0) return `${minutes} min`;
    if (hours < 24) return `${hours} h ${minutes % 60} min`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }

  function tick() {
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
      if (!element.closest("[data-next]")) write(element, clock(Number(element.dataset.clock)));
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

  // --- what the server calls -------------------------------------------------------------------

  function show(regions, title, serverMs) {
    skewMs = serverMs - Date.now();
    if (document.title !== title) document.title = title;
    for (const [name, html] of Object.entries(regions)) {
      const region = document.querySelector(`[data-region="${name}"]`);
      if (!region) continue;
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      morphChildren(region, fresh.content);
    }
    noticeVersion();
    startMovements();
    tick();
  }

  calm.addEventListener("change", startMovements);
  setInterval(tick, 100);

  return { show };
})();
