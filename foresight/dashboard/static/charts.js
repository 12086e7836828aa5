// Draws what the page's charts show, with uPlot: equity with its deploys, a slot's price with its
// trades. The figures come from an address of their own, for the range that stands in the page's.
// What a chart tells stands in words and tables beside it, too.
"use strict";

(() => {
  const LEAST_MS = 10_000; // between two looks at figures that change all the time
  const NARROW = 600; // pixels: a phone
  const HEIGHT = { wide: 240, narrow: 176 };
  const FONT = '12px Roboto, system-ui, "Segoe UI", sans-serif';
  const BEYOND = { up: "▲", down: "▼", won: "✓", lost: "✗", void: "○" };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map(); // by figure: its chart, its data, when they were asked for

  // --- colours: those of the page, as they are now ------------------------------------------------

  const named = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faint = (name, part) => `color-mix(in srgb, ${named(name)} ${part}%, transparent)`;

  function hueOf(hue) {
    const probe = document.createElement("i");
    probe.className = "hued";
    probe.style.setProperty("--hue", hue);
    document.body.append(probe);
    const found = getComputedStyle(probe).getPropertyValue("--release").trim();
    probe.remove();
    return found;
  }

  // A canvas knows fewer notations than a style sheet: what it is given is what was computed.
  function painted(css) {
    const probe = document.createElement("i");
    probe.style.color = css;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  // --- words ----------------------------------------------------------------------------------------

  const { clock } = moments;
  const day = (ms) => new Date(ms).toLocaleDateString("en-US", { month: "short", day: "numeric" });
  const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;

  function times(_plot, splits, _axis, _space, step) {
    if (step >= 86_400_000) return splits.map(day);
    const isMidnight = (ms) => new Date(ms).getHours() + new Date(ms).getMinutes() + new Date(ms).getSeconds() === 0;
    return splits.map((ms) => (isMidnight(ms) ? day(ms) : clock(ms, step < 60_000)));
  }

  // --- what both charts have in common -------------------------------------------------------------

  function axes(values) {
    const line = { stroke: named("--line"), width: 1 };
    const look = { stroke: named("--quiet"), grid: line, ticks: { ...line, size: 4 }, font: FONT };
    return [
      { ...look, values: times, size: 28, space: 64 },
      { ...look, values, size: 58, space: 34 },
    ];
  }

  function looks(figure, hooks) {
    const isNarrow = figure.clientWidth < NARROW;
    return {
      width: figure.clientWidth,
      height: HEIGHT[isNarrow ? "narrow" : "wide"],
      ms: 1,
      padding: [20, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      select: { show: true },
      hooks: { ...hooks, setSelect: [choose] },
    };
  }

  function choose(plot) {
    if (plot.select.width < 8) return; // a click
    const first = plot.posToVal(plot.select.left, "x");
    const last = plot.posToVal(plot.select.left + plot.select.width, "x");
    go(`?from=${Math.floor(first)}&until=${Math.ceil(last)}`);
  }

  // Everything that a range is for follows it: here the chart and the links, elsewhere the page.
  function go(query) {
    if (!window.foresight) {
      location.search = query;
      return;
    }
    history.replaceState(null, "", query === "?span=all" ? location.pathname : query);
    window.foresight.point(document);
    markRange();
    for (const figure of drawn.keys()) ask(figure);
  }

  function markRange() {
    const said = new URLSearchParams(location.search);
    for (const link of document.querySelectorAll("[data-span]")) {
      const isIt = !said.has("from") && (said.get("span") ?? "") === link.dataset.span;
      if (isIt) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  function write(plot, at, words, colour, lift = 0) {
    const { ctx } = plot;
    ctx.fillStyle = colour;
    ctx.font = `${12 * devicePixelRatio}px ${FONT.slice(FONT.indexOf(" ") + 1)}`;
    ctx.textBaseline = "middle";
    ctx.fillText(words, at.x, at.y + lift * devicePixelRatio);
    return ctx.measureText(words).width;
  }

  function upright(plot, ms, colour, dash = []) {
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(ms, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) return null;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    return x;
  }

  const within = (plot, paint) => {
    plot.ctx.save();
    paint(plot);
    plot.ctx.restore();
  };

  // --- equity ----------------------------------------------------------------------------------------

  function equity(figure, { at, usdc, best, marks }) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const points = { show: at.length < 2 };
    const options = looks(figure, {
      drawAxes: [(plot) => within(plot, zero)],
      draw: [(plot) => within(plot, () => deploys(plot, marks))],
      setCursor: [(plot) => tell(figure, plot, (index) => {
        const below = usdc[index] - best[index];
        return `${signed(usdc[index])} USDC${below < 0 ? `, ${signed(below)} below the best` : ""}`;
      })],
    });
    const reach = (_plot, low, high) => {
      // Zero belongs to it where it is near: far from it, it would flatten what is to be seen.
      const isNear = Math.min(Math.abs(low), Math.abs(high)) < 2 * (high - low);
      const [least, most] = isNear ? [Math.min(low, 0), Math.max(high, 0)] : [low, high];
      const room = (most - least || 1) * 0.06;
      return [least - room, most + room];
    };
    return new uPlot(
      {
        ...options,
        scales: { x: { time: true }, y: { range: reach } },
        series: [
          {},
          { stroke: named("--quiet"), width: 1, dash: [4, 4], paths: stepped, points: { show: false } },
          { stroke: named("--text"), width: 2, paths: stepped, points },
        ],
        bands: [{ series: [1, 2], fill: painted(faint("--bad", 26)) }],
        axes: axes((_plot, splits) => splits.map((value) => value.toLocaleString("en-US"))),
      },
      [at, best, usdc],
      figure,
    );
  }

  function zero(plot) {
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(0, "y", true));
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.strokeStyle = named("--quiet");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }

  function deploys(plot, marks) {
    const { bbox } = plot;
    let free = bbox.left; // names that would cover one another are in the list below alone
    for (const { at_ms, name, hue } of marks) {
      const colour = painted(hueOf(hue));
      const x = upright(plot, at_ms, colour);
      if (x === null || x < free) continue;
      const room = bbox.left + bbox.width - x;
      const isRight = room > 60 * devicePixelRatio;
      plot.ctx.textAlign = isRight ? "left" : "right";
      const width = write(plot, { x, y: bbox.top }, `▾${name}`, colour, -10);
      free = x + width + 8 * devicePixelRatio;
    }
  }

  // --- a slot ----------------------------------------------------------------------------------------

  function slot(figure, data) {
    const { at, prices, reference } = data;
    const digits = prices[0] >= 10_000 ? 1 : prices[0] >= 100 ? 2 : prices[0] >= 1 ? 4 : 5;
    const options = looks(figure, {
      drawAxes: [(plot) => within(plot, () => windows(plot, data))],
      draw: [(plot) => within(plot, () => bets(plot, data))],
      setCursor: [(plot) => tell(figure, plot, (index) => prices[index].toFixed(digits))],
    });
    const running = data.window_from_ms;
    const [x, y] = axes((_plot, splits) => splits.map((value) => value.toFixed(digits > 2 ? digits : 1)));
    const beat = at.map((ms) => (reference && ms >= running ? reference : null));
    return new uPlot(
      {
        ...options,
        scales: { x: { time: true, range: (_plot, low, high) => [low, Math.max(high, low + 1)] } },
        series: [
          {},
          { stroke: named("--quiet"), width: 1.5, dash: [3, 3], points: { show: false } },
          { stroke: named("--text"), width: 1.75, points: { show: at.length < 2 } },
        ],
        axes: [{ ...x, grid: { show: false } }, y], // upright lines are ends of windows
      },
      [at, beat, prices],
      figure,
    );
  }

  function windows(plot, { at, window_ms, window_from_ms }) {
    if (!window_ms) return;
    const first = window_from_ms - Math.ceil((window_from_ms - at[0]) / window_ms) * window_ms;
    for (let ms = first; ms <= at[at.length - 1]; ms += window_ms) {
      upright(plot, ms, named("--line"));
    }
  }

  function bets(plot, { at, prices, bets: all }) {
    plot.ctx.textAlign = "center";
    const price = (ms) => {
      const index = at.findLastIndex((each) => each <= ms);
      return prices[Math.max(0, index)];
    };
    for (const { bought_ms, ends_ms, side, state } of all) {
      if (bought_ms >= at[0] && bought_ms <= at[at.length - 1]) {
        const place = { x: plot.valToPos(bought_ms, "x", true), y: plot.valToPos(price(bought_ms), "y", true) };
        write(plot, place, BEYOND[side], painted(named(`--${side}`)), side === "up" ? 12 : -12);
      }
      if (BEYOND[state] && ends_ms >= at[0] && ends_ms <= at[at.length - 1]) {
        const colour = { won: "--good", lost: "--bad", void: "--quiet" }[state];
        const place = { x: plot.valToPos(ends_ms, "x", true), y: plot.bbox.top };
        write(plot, place, BEYOND[state], painted(named(colour)), -10);
      }
    }
  }

  // --- reading off ------------------------------------------------------------------------------------

  const HINT = matchMedia("(hover: hover)").matches ? "Point at the chart to read it, drag to choose a range." : "";

  function tell(figure, plot, words) {
    const index = plot.cursor.idx;
    const said = figure.querySelector(".readout");
    if (!said) return;
    const text = plot.cursor.left < 0 || index == null ? HINT : `${day(plot.data[0][index])} ${clock(plot.data[0][index])}  ${words(index)}`;
    if (said.textContent !== text) said.textContent = text;
  }

  // --- getting it -------------------------------------------------------------------------------------

  function draw(figure) {
    const known = drawn.get(figure);
    known.plot?.destroy();
    known.plot = null;
    figure.replaceChildren();
    const said = document.createElement("p");
    said.className = "readout";
    said.textContent = HINT;
    figure.append(said);
    if (!known.data.at.length) {
      said.textContent = "Nothing in this range.";
      return;
    }
    known.plot = (known.data.prices ? slot : equity)(figure, known.data);
  }

  async function ask(figure) {
    const known = drawn.get(figure);
    const asked = (known.asked = performance.now());
    try {
      const answer = await fetch(figure.dataset.chart + location.search, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const data = await answer.json();
      if (known.asked !== asked) return; // a newer question is under way
      known.data = data;
      draw(figure);
    } catch {
      if (!known.data) figure.textContent = "The chart could not be loaded; what it shows is told beside it.";
    }
  }

  // The page tells that something changed; at once, and then not too often.
  function heed() {
    const stamp = document.querySelector("[data-stamp]")?.dataset.stamp;
    for (const [figure, known] of drawn) {
      if (stamp === undefined || stamp === known.stamp || document.hidden) continue;
      const left = LEAST_MS - (performance.now() - (known.asked ?? -LEAST_MS));
      if (left > 0) {
        known.later ??= setTimeout(() => {
          known.later = undefined;
          heed();
        }, left);
        continue;
      }
      known.stamp = stamp;
      ask(figure);
    }
  }

  for (const figure of document.querySelectorAll("[data-chart]")) {
    drawn.set(figure, {});
    let width = 0;
    new ResizeObserver(() => {
      if (figure.clientWidth === width || !drawn.get(figure).data) return;
      width = figure.clientWidth;
      draw(figure);
    }).observe(figure);
    if (!document.querySelector("[data-region]")) ask(figure);
  }
  document.addEventListener("foresight:shown", heed);
  document.addEventListener("visibilitychange", heed);
  dark.addEventListener("change", () => {
    for (const [figure, known] of drawn) if (known.data) draw(figure);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-span]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(`?span=${link.dataset.span || "all"}`);
  });
  markRange();
})();
