// Everything that is shown is named by the address, behind its #: it goes to no server, and back and forward work.

/** @typedef {{view: string, params: Record<string, string>}} Place */

/** @returns {Place} */
export function here() {
  const text = location.hash.slice(1);
  const cut = text.indexOf("?");
  const params = Object.fromEntries(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)));
  return { view: (cut < 0 ? text : text.slice(0, cut)) || "logs", params };
}

/** @returns {string} the link to a place */
export function link(view, params = {}) {
  const known = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(known.map(([name, value]) => [name, String(value)])).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

/** Go to a place; the same place again asks anew. */
export function go(view, params = {}, { quietly = false } = {}) {
  const to = link(view, params);
  if (quietly || to === location.hash) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  dispatchEvent(new CustomEvent("zero:place"));
}

/** Stay in the view and change some of its parameters. */
export function change(params, options) {
  const { view, params: now } = here();
  go(view, { ...now, ...params }, options);
}
