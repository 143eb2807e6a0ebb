// Elements are made here and nowhere else. What comes from logs becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

// Characters that hide, move or turn text. Joiners (U+200C, U+200D) stay: languages and emoji need them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * Make an element. `on…` values become listeners, true and false attributes come and go, strings become text.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for drawings. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on") && typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (key.startsWith("on") || key === "style" || key === "srcdoc") throw new Error(`${key} is not for text`);
    else if (key === "href" && !/^[#/](?!\/)/.test(String(value))) throw new Error("links stay on this page");
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false).map(asNode));
  return node;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

/**
 * Text of a stranger with every unseen character shown.
 * @param {unknown} value
 * @param {{lines?: boolean, max?: number, words?: RegExp | null}} [options] `lines` keeps line breaks and tabs; `max` cuts, and says so
 * @returns {DocumentFragment}
 */
export function visible(value, { lines = false, max = Infinity, words = null } = {}) {
  const whole = String(value);
  const text = whole.length > max ? whole.slice(0, max) : whole;
  const shown = document.createDocumentFragment();
  if (words) pieces(text, words, (part, hit) => shown.append(hit ? el("mark", {}, marked(part, lines)) : marked(part, lines)));
  else shown.append(marked(text, lines));
  if (text.length < whole.length) shown.append(el("span", { class: "more" }, ` … ${(whole.length - max).toLocaleString("en")} more`));
  return shown;
}

function marked(text, lines) {
  const shown = document.createDocumentFragment();
  pieces(text, UNSEEN, (part, hit) => {
    if (!hit) shown.append(part);
    else if (part === "\n" || part === "\t") shown.append(lines ? part : part === "\n" ? control("↵", part) : " ");
    else if (part === "\r" && lines) return;
    else shown.append(control(pictured(part), part));
  });
  return shown;
}

/** Call back for each part of the text, and say whether it matched. */
function pieces(text, expression, each) {
  let end = 0;
  for (const match of text.matchAll(expression)) {
    if (!match[0]) continue;
    if (match.index > end) each(text.slice(end, match.index), false);
    each(match[0], true);
    end = match.index + match[0].length;
  }
  if (end < text.length) each(text.slice(end), false);
}

function control(shown, char) {
  return el("span", { class: "ctl", title: named(char) }, shown);
}

function pictured(char) {
  const code = char.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "␡" : named(char);
}

function named(char) {
  return `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A button with a text or a name for those who do not see it. */
export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

/** Put the children in place of what the node holds. */
export function replace(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false).map(asNode));
  return node;
}

/** @returns {any} the element of the page with that id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/** Say something to those who listen to the page. */
export function say(text) {
  byId("said").textContent = text;
}

/** A number as people read it. */
export function count(number) {
  return Number(number).toLocaleString("en");
}

/** A number in little room: 12.3k. */
export function brief(number) {
  const value = Number(number);
  if (value < 10_000) return count(value);
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** Bytes as people read them. */
export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = number > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(number) / 10)) : 0;
  return `${(number / 1024 ** power).toFixed(power && number / 1024 ** power < 10 ? 1 : 0)} ${units[power]}`;
}
