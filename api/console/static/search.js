// Searching documents as their readers do: what is typed, what narrows it, and what is found, page after page.

import {call, Refused} from "./client.js";
import {saveSearch} from "./dialogs.js";
import {el, heading, problemBox, say, setText} from "./elements.js";
import {FACETS, facetFilters} from "./facets.js";
import {hitList} from "./hits.js";
import {savedSearches} from "./saved_searches.js";
import {suggestions} from "./suggestions.js";

const HITS = 10;
const LONGEST_TEXT = 300;
const SORTS = [["", "best match"], ["newest", "newest"], ["oldest", "oldest"], ["changed", "changed last"],
  ["longest", "longest"], ["shortest", "shortest"]];

export async function showSearch(root, {query, signal}) {
  let wanted = wantedIn(query), underWay = new AbortController();
  const told = el("div"), notes = el("div", {class: "notes"}), total = el("p", {class: "total"});
  const hits = hitList(more), filters = facetFilters(narrow), saved = savedSearches(signal, search);
  const input = el("input", {id: "search-text", name: "text", type: "search", dir: "auto", maxlength: String(LONGEST_TEXT),
    autocomplete: "off", spellcheck: "false", enterkeyhint: "search", placeholder: 'lease "notice period" -draft agree*'});
  const sort = el("select", {id: "search-sort", name: "sort", onchange: () => search({...wanted, sort: sort.value})},
    SORTS.map(([value, word]) => el("option", {value}, word)));
  const box = suggestions(input, {filters: () => wanted.filters, signal, onChosen: text => search({...wanted, text: cut(text)})});
  const form = el("form", {role: "search", class: "filters", "aria-label": "Documents", onsubmit: event => {
    event.preventDefault();
    box.close();
    search({...wanted, text: input.value.trim()});
  }},
  el("div", {class: "field wide"}, el("label", {for: "search-text"}, "Search documents"), box.element),
  el("div", {class: "field"}, el("label", {for: "search-sort"}, "Order"), sort),
  el("button", {class: "strong"}, "Search"));
  root.append(heading("Search", el("div", {class: "actions"},
    el("button", {type: "button", class: "quiet small", onclick: save}, "Save this search…"))),
  form, saved.element, told,
  el("div", {class: "columns search"}, filters.element, el("section", {"aria-label": "Hits"}, total, notes, hits.element)));

  /** Asks anew, and lets the address say what for: going back asks for what was asked before. */
  function search(next) {
    const address = `#/search${addressOf(next)}`;
    if (address !== location.hash) history.pushState(null, "", address);
    wanted = next;
    write();
    return attempt(ask, clear);
  }

  function write() {
    input.value = wanted.text;
    sort.value = wanted.sort;
  }

  function narrow(chosen) {
    return search({...wanted, filters: chosen});
  }

  async function ask() {
    const found = await answer();
    if (!found) return;
    setText(total, `${found.total.toLocaleString("en")} ${found.total === 1 ? "document" : "documents"}`);
    notes.replaceChildren(...notesOn(found, wanted, text => search({...wanted, text})));
    filters.show(found.facets, wanted.filters);
    hits.show(found);
    say(`${total.textContent} found`);
  }

  /** What was found before isn't the answer to this. */
  function clear() {
    setText(total, "");
    notes.replaceChildren();
    hits.clear();
  }

  function more(cursor) {
    return attempt(async () => {
      const found = await answer(cursor);
      if (found) hits.add(found);
    });
  }

  /** Null where another search has overtaken it. */
  async function answer(cursor) {
    underWay.abort();
    underWay = new AbortController();
    const either = AbortSignal.any([signal, underWay.signal]);
    const body = {...queryOf(wanted), facets: FACETS.map(one => one.field), limit: HITS, ...(cursor && {cursor})};
    try {
      return await call("POST", "/api/search/advanced", {body, signal: either});
    } catch (error) {
      if (either.aborted) return null;
      throw error;
    }
  }

  async function attempt(wish, onRefused = () => {}) {
    told.replaceChildren();
    try {
      await wish();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      onRefused();
      told.replaceChildren(problemBox(error.problem));
    }
  }

  async function save() {
    if (await saveSearch(queryOf(wanted))) await saved.look();
  }

  write();
  // The page is there before its first answer, so that nothing moves the focus of who types already.
  return () => Promise.all([ask(), saved.look()]);
}

function wantedIn(query) {
  const filters = Object.fromEntries(FACETS.map(({filter}) => [filter, query.getAll(filter)]));
  return {text: query.get("text") ?? "", sort: query.get("sort") ?? "", filters};
}

function addressOf({text, sort, filters}) {
  const given = new URLSearchParams();
  if (text) given.set("text", text);
  if (sort) given.set("sort", sort);
  for (const [name, values] of Object.entries(filters)) for (const value of values) given.append(name, value);
  return given.size ? `?${given}` : "";
}

/** As the API takes it, without what a page of it needs. */
function queryOf({text, sort, filters}) {
  const narrowed = Object.fromEntries(Object.entries(filters).filter(([, values]) => values.length));
  return {filters: narrowed, ...(text && {text}), ...(sort && {sort})};
}

/** What the answer has other than what was asked for, in words. */
function notesOn(found, {text}, search) {
  const other = found.did_you_mean && el("button", {type: "button", class: "link", dir: "auto",
    onclick: () => search(found.did_you_mean)}, found.did_you_mean);
  return [
    found.corrected && el("p", {}, "Nothing has ", el("bdi", {class: "asked"}, text), ". These are the hits for ", other, "."),
    other && !found.corrected && el("p", {}, "Did you mean ", other, "?"),
    found.widened && el("p", {}, "Few documents have all of the words. Those with some of them come behind."),
  ].filter(Boolean);
}

function cut(text) {
  return [...text].slice(0, LONGEST_TEXT).join("");
}
