// Searches that tell of new documents: which there are, and a way to ask them now.

import {call, Refused} from "./client.js";
import {el, moment} from "./elements.js";
import {FACETS} from "./facets.js";

const KNOWN = FACETS.map(one => one.filter);

/** `ask` is given what a saved search looks for. */
export function savedSearches(signal, ask) {
  const list = el("ul", {class: "saved"});
  const element = el("details", {hidden: true}, el("summary", {}, "Saved searches"), list);

  async function look() {
    let found;
    try {
      found = await call("GET", "/api/search/saved", {signal});
    } catch (error) {
      // They come beside the search, which says by itself what stands in the way.
      if (error instanceof Refused || signal.aborted) return;
      throw error;
    }
    element.hidden = !found.searches.length;
    list.replaceChildren(...found.searches.map(row));
  }

  function row(one) {
    const wanted = shownOf(one.query);
    return el("li", {},
      wanted ? el("button", {type: "button", class: "link", onclick: () => ask(wanted)}, one.name) : el("strong", {}, one.name),
      one.query.text && [" ", el("bdi", {class: "asked"}, one.query.text)],
      one.description && [" ", el("bdi", {class: "note"}, one.description)],
      !wanted && el("span", {class: "note"}, " looks for more than this page can ask: bucatini search saved shows it"),
      el("span", {class: "note"}, " · set ", moment(one.updated_at)));
  }

  return {element, look};
}

/** The query as this page has it, or null where that would leave something out. */
function shownOf({text, match, sort, filters = {}}) {
  const given = Object.entries(filters).filter(([, value]) => Array.isArray(value) ? value.length : value !== null);
  if (match || given.some(([name]) => !KNOWN.includes(name))) return null;
  const narrowed = Object.fromEntries(KNOWN.map(name => [name, filters[name] ?? []]));
  return {text: text ?? "", sort: sort === "relevance" ? "" : sort ?? "", filters: narrowed};
}
