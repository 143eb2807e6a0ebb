// The view of the platform: is it well, how much arrives, is every line accounted for, what could not be stored.

import { ask } from "./api.js";
import { brief, bytes, button, byId, count, el, replace, visible } from "./dom.js";
import { showFailure } from "./notices.js";
import { change, link } from "./place.js";
import { sparkline } from "./sparkline.js";
import { term } from "./terms.js";

const EVERY_MS = 3000;
const RATES_MAX = 60;
const LETTERS = 50;
const APPS = 20;
const rates = [];

/** Show the figures, and go on looking until the place is left. */
export async function showPlatform(params, signal) {
  const node = byId("platform");
  const places = { health: el("section"), figures: el("section"), ledger: el("section"), letters: el("section") };
  replace(node, Object.values(places));
  await Promise.all([part(places.letters, () => letters(places.letters, params.after ?? "", signal), signal), keepLooking(places, signal)]);
}

async function keepLooking(places, signal) {
  while (!signal.aborted) {
    await Promise.all([
      part(places.health, () => health(places.health, signal), signal),
      part(places.figures, () => figures(places.figures, signal), signal),
      part(places.ledger, () => ledger(places.ledger, signal), signal),
    ]);
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  }
}

async function part(node, show, signal) {
  try {
    await show();
    delete node.dataset.failure;
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted || node.dataset.failure === error.message) return;
    node.dataset.failure = error.message;
    showFailure(node, error, () => change({}, { quietly: true }));
  }
}

async function health(node, signal) {
  const found = await ask("/ready", {}, { signal }).catch((error) => {
    if (error.status !== 503) throw error;
    return { ready: false, reasons: ["buffer or store does not answer"], durability: "unknown" };
  });
  const text = found.ready ? `Ready. Durability: ${found.durability}.` : `Not ready: ${found.reasons.join("; ")}`;
  replace(node, el("p", { class: `health ${found.ready ? "good" : "bad"}`, role: "status" }, el("span", { class: "dot", "aria-hidden": "true" }), visible(text)));
}

async function figures(node, signal) {
  const stats = await ask("/api/stats", {}, { signal });
  rates.push(stats.entries_per_second);
  if (rates.length > RATES_MAX) rates.shift();
  const { buffer } = stats;
  const used = buffer.limit_bytes ? (100 * buffer.used_bytes) / buffer.limit_bytes : 0;
  const tiles = [
    ["Arriving", [`${brief(stats.entries_per_second)} `, el("small", {}, "lines a second")], sparkline([...Array(RATES_MAX - rates.length).fill(0), ...rates], { name: "lines a second, of late" })],
    ["Stored", [count(stats.stored), " ", el("small", {}, "lines")], el("small", { class: "dim" }, `${bytes(stats.disk_bytes)} on disk${stats.stored ? `, ${Math.round(stats.disk_bytes / stats.stored)} bytes a line` : ""}`)],
    ["Waiting in the buffer", [count(buffer.frames), " ", el("small", {}, "frames")], el("small", { class: "dim" }, `${bytes(buffer.used_bytes)}${buffer.limit_bytes ? ` of ${bytes(buffer.limit_bytes)}, ${used.toFixed(1)} %` : ""}`)],
  ];
  if (!node.querySelector(".tiles")) replace(node, el("div", { class: "tiles" }), el("h2", {}, "By app"), el("ul", { class: "apps" }));
  replace(node.querySelector(".tiles"), tiles.map(([name, figure, more]) => el("div", { class: "tile" }, el("h3", {}, name), el("p", { class: "figure" }, figure), more)));
  byApp(node.querySelector(".apps"), stats.by_app);
  node.querySelector("h2").hidden = !node.querySelector(".apps li");
}

/** Change the numbers in place: a link that somebody is on stays where it is, and new apps come last. */
function byApp(list, numbers) {
  const most = Math.max(1, ...Object.values(numbers));
  const apps = new Map(Object.entries(numbers).sort((one, other) => other[1] - one[1]).slice(0, APPS));
  const rows = new Map([...list.children].map((row) => [row.dataset.app, row]));
  for (const [app, row] of rows) if (!apps.has(app) && !row.contains(document.activeElement)) row.remove();
  for (const [app, number] of apps) {
    const row = rows.get(app) ?? appRow(app);
    if (!row.isConnected) list.append(row);
    const share = row.querySelector("progress");
    share.max = most;
    share.value = number;
    row.querySelector(".number").textContent = count(number);
  }
}

function appRow(app) {
  return el("li", { "data-app": app }, el("a", { href: link("logs", { q: term("app_id", app), from: "all" }) }, el("bdi", {}, visible(app, { max: 80 }))),
    el("progress", { class: "share", "aria-hidden": "true" }), el("span", { class: "number" }));
}

async function ledger(node, signal) {
  const found = await ask("/api/ledger", {}, { signal });
  const names = ["accepted", "stored", "dead_lettered", "in_buffer", "dropped", "rows", "expired", "missing"];
  const tenants = Object.entries(found.tenants);
  const line = (name, of) => el("tr", { class: of.missing ? "bad" : "" }, el("th", { scope: "row" }, el("bdi", {}, visible(name))), names.map((one) => el("td", { class: "number" }, count(of[one]))));
  const verdict = found.missing ? "Lines are missing." : found.balanced ? "Every accepted line is accounted for." : "In motion: look again in a moment.";
  if (!node.querySelector(".scroll")) replace(node, el("h2", {}, "Ledger"), el("p"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "ledger" }));
  const said = node.querySelector("p");
  said.className = found.missing ? "bad" : "dim";
  replace(said, `${verdict} accepted = stored + dead-lettered + in buffer`);
  replace(node.querySelector(".scroll"), el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ["Tenant", ...names.map((name) => name.replace("_", " "))].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, tenants.map(([name, of]) => line(name, of)), tenants.length > 1 ? line("all", found) : null)));
}

async function letters(node, after, signal) {
  const heading = el("h2", {}, "Dead letters");
  const found = await ask("/api/dead-letters", { limit: LETTERS, after }, { signal }).catch((error) => {
    if (error.status !== 403) throw error;
    return null;
  });
  if (!found) return void replace(node, heading, el("p", { class: "dim" }, "They are for keys with the scope admin."));
  if (!found.dead_letters.length) return void replace(node, heading, el("p", { class: "dim" }, after ? "No more." : "None: all that was accepted could be stored."));
  const rows = found.dead_letters.map((one) => el("tr", {}, el("td", {}, visible(one.reason, { max: 500 })), el("td", {}, visible(one.tenant)), el("td", { class: "number" }, count(one.entries)), el("td", {}, el("code", {}, visible(one.id))), el("td", {}, button("Store again", (event) => replay(one.id, event.target)))));
  replace(node, heading, el("p", { class: "dim" }, "Kept with their reason. zero dead-letters shows, stores again or deletes them."),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "dead letters" }, el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ["Reason", "Tenant", "Entries", "Id", "Act"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows))),
    found.next_cursor ? button("Later ones", () => change({ after: found.next_cursor })) : null);
  return undefined;
}

/** Put a letter back into the buffer; should it come back, it has a new id and stands last. */
async function replay(id, node) {
  node.disabled = true;
  const told = await ask(`/api/dead-letters/${encodeURIComponent(id)}/replay`, {}, { body: {} }).then(() => "In the buffer again", (error) => error.message);
  replace(node.parentNode, visible(told, { max: 200 }));
}
