// The page: the address says what is shown; each view shows itself, and what it asked for is aborted when it is left.

import { showAround } from "./around.js";
import { startCredential } from "./credential.js";
import { byId } from "./dom.js";
import { LogsView } from "./logs.js";
import { showAsk } from "./meaning.js";
import { showPatterns } from "./patterns.js";
import { go, here, link } from "./place.js";
import { showPlatform } from "./platform.js";
import { Results } from "./results.js";
import { showKeys, startShortcuts } from "./shortcuts.js";
import { startTheme } from "./theme.js";
import { clock } from "./time.js";
import { startViews } from "./views.js";

const VIEWS = ["logs", "patterns", "ask", "platform", "around"];

function start() {
  const logs = new LogsView();
  const shows = { logs: (...given) => logs.show(...given), patterns: showPatterns, ask: showAsk, platform: showPlatform, around: showAround };
  let asking = new AbortController();

  const show = () => {
    asking.abort();
    asking = new AbortController();
    const { view: wanted, params } = here();
    const view = VIEWS.includes(wanted) ? wanted : "logs";
    if (wanted === "help") showKeys();
    document.body.dataset.view = view;
    document.body.classList.toggle("live", Boolean(params.live));
    document.body.classList.remove("bare", "none");
    if (view !== "logs") logs.leave();
    for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
    for (const tab of document.querySelectorAll("nav a")) tab.toggleAttribute("aria-current", tab.dataset.view === view);
    document.title = params.q ? `${params.q.slice(0, 60)} · zero` : `zero · ${view}`;
    shows[view](params, asking.signal);
  };

  startTheme();
  startViews();
  startCredential(show);
  startClock(show);
  startShortcuts({
    "/": () => (here().view === "ask" ? document.getElementById("question") : byId("query"))?.focus(),
    j: () => Results.shown?.step(1),
    k: () => Results.shown?.step(-1),
    o: () => Results.shown?.openSelected(),
    Escape: () => Results.shown?.closeOpen(),
    t: () => (document.body.dataset.view === "logs" ? logs.live() : go("logs", { live: "1" })),
    p: () => logs.tail?.pause(),
    "?": showKeys,
    ...Object.fromEntries(VIEWS.slice(0, 4).map((name, at) => [String(at + 1), () => go(name)])),
  });
  byId("keys").addEventListener("click", showKeys);
  for (const tab of document.querySelectorAll("nav a")) tab.setAttribute("href", link(tab.dataset.view));
  addEventListener("zero:place", show);
  addEventListener("popstate", show);
  byId("narrow").open = !matchMedia("(max-width: 720px)").matches;
  if (here().view === "logs" && matchMedia("(pointer: fine)").matches) byId("query").focus();
  show();
  document.documentElement.dataset.started = "1";
}

function startClock(again) {
  const name = () => (byId("clock").textContent = clock.utc() ? "UTC" : "Local");
  byId("clock").addEventListener("click", () => {
    clock.turn();
    name();
    again();
  });
  name();
}

start();
