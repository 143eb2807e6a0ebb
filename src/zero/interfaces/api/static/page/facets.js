// What the lines found have in common: values with counts, a click narrows the search.

import { brief, button, count, el, replace, visible } from "./dom.js";
import { has, term } from "./terms.js";

const NAMES = { level: "Level", app_id: "App", source: "Source", environment: "Environment" };
const ORDER = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/**
 * @param {HTMLElement} node
 * @param {Record<string, {value: string, count: number}[]>} facets the answer of /api/facets
 * @param {string} query
 * @param {(wanted: string) => void} onTerm adds a term to the query, or takes it away
 */
export function showFacets(node, facets, query, onTerm) {
  replace(node, Object.entries(NAMES).filter(([field]) => facets[field]?.length).map(([field, name]) => {
    const values = [...facets[field]];
    if (field === "level") values.sort((one, other) => ORDER.indexOf(one.value) - ORDER.indexOf(other.value));
    const most = Math.max(...values.map((one) => one.count));
    return el("section", {}, el("h3", {}, name), el("ul", {}, values.map((one) => row(field, one, most, query, onTerm))));
  }));
}

function row(field, { value, count: found }, most, query, onTerm) {
  const wanted = term(field, field === "level" ? value.toLowerCase() : value);
  const chosen = has(query, wanted);
  const shown = value === "" ? el("i", {}, "(none)") : el("bdi", {}, visible(value, { max: 80 }));
  const label = `${value || "none"}, ${count(found)} lines`;
  const bar = el("progress", { class: "share", max: most, value: found, "aria-hidden": "true", tabindex: "-1" });
  const include = el("button", { type: "button", class: "value", "aria-pressed": String(chosen), "aria-label": label, onclick: () => onTerm(wanted) },
    field === "level" ? el("span", { class: `level level-${value}` }, shown) : shown, el("span", { class: "count" }, brief(found)));
  const without = value === "" ? wanted.replace(/^NOT /, "") : `-${wanted}`;
  const exclude = button("−", () => onTerm(without), { class: "exclude", "aria-label": `without ${value || "none"}`, title: "without" });
  return el("li", {}, include, exclude, bar);
}
