// What the page says when there is nothing to show, and what to do next.

import { button, byId, el, replace, visible } from "./dom.js";
import { snippet } from "./copy.js";
import { change, go } from "./place.js";
import { showKeys } from "./shortcuts.js";

/** Show that asking failed, why, and how to go on. */
export function showFailure(node, error, again) {
  const [title, advice] = explained(error);
  replace(node, el("div", { class: "notice bad", role: "alert" },
    el("h2", {}, title), el("p", {}, visible(error.message)), advice ? el("p", { class: "dim" }, advice) : null,
    el("p", { class: "actions" }, button("Try again", again, { class: "primary" }))));
}

function explained(error) {
  if (error.status === 401) return ["A key is needed", "Enter an API key with the scope query: the button at the top right, or zero keys create --scope query."];
  if (error.status === 403) return ["This key may not see this", "It takes a key with another scope. An operator makes one with zero keys create."];
  if (error.status === 404 && error.field) return ["It is not there any more", "Lines go when their days are over."];
  if ([404, 405, 501].includes(error.status)) return ["This server does not have it", "It is of another version than this page: reload the page."];
  if (error.status === 422) return ["The search is too expensive", "Narrow the time range or add a condition, for example an app."];
  if (error.status === 429) return ["Too much at once", "Wait a moment, then try again."];
  if (error.status === 503) return ["The store does not answer", "Logs are accepted and kept in the buffer meanwhile. Look at the tab Platform, or run zero doctor."];
  if (error.code === "unreachable") return ["No answer from the api", "Is it running? Start everything with zero up, or the api alone with zero api."];
  return ["That did not work", ""];
}

/** Show that the api does not understand the query; the box says why, and where if that is known. */
export function showBadQuery(node, error, asText) {
  const where = Number.isInteger(error.position) ? "The mark under it shows where." : "What is wrong is said under it.";
  replace(node, el("div", { class: "notice" }, el("h2", {}, "The query cannot be read"), el("p", {}, where),
    el("p", { class: "actions" }, button("Search it as plain text", asText), button("How to write one", showKeys))));
}

/** Show that the times of the address make no range. */
export function showBadRange(node, error) {
  replace(node, el("div", { class: "notice" }, el("h2", {}, "The time range cannot be read"), el("p", {}, visible(error.message)),
    el("p", { class: "actions" }, button("Choose a time range", () => byId("range").click(), { class: "primary" }),
      button("All time", () => change({ from: "all", to: "" })))));
}

/** Show how to send the first log. */
export function showWelcome(node) {
  const ingest = `${location.protocol}//${location.hostname}:4318`;
  const body = `{"app_id":"shop","level":"error","message":"payment refused","order":{"id":7}}`;
  replace(node, el("div", { class: "notice welcome" },
    el("h2", {}, "No logs yet"),
    el("p", {}, "Send one; it appears here by itself."),
    snippet(`curl --json '${body}' ${ingest}/api/logs`),
    el("p", {}, "Or send files: plain text, JSON, CSV, as they are."),
    snippet("zero send /var/log/*.log"),
    el("p", { class: "dim" }, "Fluent Bit, Vector, OpenTelemetry, Filebeat, Promtail and syslog send too: docs/ship.md. ",
      "If the port was changed, it is in ZERO_INGEST_HTTP."),
    el("p", { class: "dim waiting-dot" }, "Waiting for the first line")));
}

/** Show that a search found nothing, and offer wider ones. */
export function showNothing(node, { q = "", from = "" }, rangeText) {
  const offers = [];
  if (from !== "all") offers.push(button("Search all time", () => go("logs", { q, from: "all" }), { class: "primary" }));
  if (q) offers.push(button("Search by meaning", () => go("ask", { q, from })), button("Show all lines", () => go("logs", { from })));
  replace(node, el("div", { class: "notice" }, el("h2", {}, "No lines found"),
    el("p", {}, q ? ["Nothing matches ", el("code", {}, visible(q, { max: 200 })), `, ${rangeText.toLowerCase()}.`] : `Nothing arrived, ${rangeText.toLowerCase()}.`),
    el("p", { class: "actions" }, offers)));
}
