// The page is built of elements and text only: nothing is ever read as markup, whatever a job brings.

/** A new element. Attributes that begin with "on" are listeners; null, undefined and false are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets the text if it is another, so that a screen reader and a selection aren't disturbed for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tells those who can't see the page what has changed on it. */
export function say(text) {
  setText(document.getElementById("said"), text);
}

const GLYPHS = {
  scheduled: "◷", queued: "…", running: "▶", waiting: "◌", retrying: "↻",
  succeeded: "✓", failed: "✕", dead: "✕", cancelled: "⊘",
};

/** A state by word, sign and colour. Give the one there is to have it changed. */
export function badge(state, node = el("span", {class: "badge"}, el("span", {"aria-hidden": "true"}), el("span"))) {
  if (node.dataset.state !== state) {
    node.dataset.state = state;
    node.firstChild.textContent = `${GLYPHS[state] ?? "·"} `;
    node.lastChild.textContent = state;
  }
  return node;
}

const STEPS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const AGO = new Intl.RelativeTimeFormat("en", {numeric: "auto"});

/** A moment as people say it, with the exact time on hovering. It ages by itself. */
export function moment(iso) {
  if (!iso) return el("span", {}, "–");
  const date = new Date(iso);
  return el("time", {datetime: iso, title: date.toLocaleString()}, relative(date));
}

function relative(date) {
  const seconds = (date.getTime() - Date.now()) / 1_000;
  const [unit, length] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? STEPS[3];
  return AGO.format(Math.trunc(seconds / length), unit);
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[datetime]")) {
    setText(node, relative(new Date(node.getAttribute("datetime"))));
  }
}, 5_000);

/** How long it took from one moment to the other, or to now. */
export function duration(from, to) {
  if (!from) return "–";
  const seconds = Math.max(0, (new Date(to ?? Date.now()) - new Date(from)) / 1_000);
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

const MOST_CHARACTERS = 20_000;

/** A value as indented JSON: its beginning where it is long, with a way to copy all of it. */
export function json(value, label) {
  const whole = JSON.stringify(value, null, 2);
  const cut = whole.length > MOST_CHARACTERS;
  return el("div", {class: "json"},
    el("pre", {tabindex: "0", role: "region", "aria-label": label}, cut ? whole.slice(0, MOST_CHARACTERS) : whole),
    cut && el("p", {class: "note"},
      `The first ${MOST_CHARACTERS.toLocaleString("en")} of ${whole.length.toLocaleString("en")} characters.`),
    copyButton(whole, "Copy"));
}

/** Null where the browser has no clipboard for the page, as on plain HTTP from another machine. */
export function copyButton(text, label) {
  return navigator.clipboard === undefined ? null : el("button", {type: "button", class: "quiet small", onclick: async event => {
    await navigator.clipboard.writeText(text);
    setText(event.target, "Copied");
    say("Copied");
  }}, label);
}

/** What went wrong, in the words of RFC 9457: title, detail, and each field by its pointer. */
export function problemBox(problem) {
  return el("div", {class: "problem", role: "alert"},
    el("strong", {}, problem.title ?? "Something went wrong"),
    problem.detail && el("p", {}, problem.detail),
    problem.errors?.length > 0 && el("ul", {}, problem.errors.map(one =>
      el("li", {}, el("code", {}, one.pointer || "/"), " ", one.detail))));
}

export function heading(text, ...beside) {
  document.title = `${text} · Bucatini`;
  return el("div", {class: "heading"}, el("h1", {tabindex: "-1"}, text), ...beside);
}

export function empty(title, hint) {
  return el("div", {class: "empty"}, el("strong", {}, title), el("p", {}, hint));
}

export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}
