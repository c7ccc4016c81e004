// What a search found. Titles, snippets and tags are text, whatever is in them, and each is read in its own direction.

import {copyButton, el, empty, moment, say} from "./elements.js";

/** A list of hits, of which `more` is asked for the next page by its cursor. */
export function hitList(more) {
  const list = el("ol", {class: "hits"}), after = el("div", {class: "pages"});
  const changed = el("p", {class: "note", hidden: true},
    "The index has changed since the first page: a document may come twice, or be left out.");
  const element = el("div", {class: "found"}, list, changed, after);

  function show(found) {
    list.replaceChildren(...found.hits.map(card));
    changed.hidden = true;
    if (!found.hits.length) list.replaceChildren(el("li", {class: "none"},
      empty("No document matches", "Look for fewer words, or clear filters.")));
    turn(found);
  }

  /** Adds a page. The focus goes on to its first hit, so that whoever moves by keyboard reads on. */
  function add(found) {
    const cards = found.hits.map(card);
    list.append(...cards);
    if (found.consistency === "resumed") changed.hidden = false;
    turn(found);
    cards[0]?.focus();
    say(`${cards.length} more`);
  }

  function clear() {
    list.replaceChildren();
    after.replaceChildren();
    changed.hidden = true;
  }

  function turn({next_cursor: cursor}) {
    after.replaceChildren(...(cursor ? [el("button", {type: "button", onclick: async event => {
      event.target.disabled = true;
      await more(cursor);
      event.target.disabled = false;
    }}, "More")] : []));
  }

  return {element, show, add, clear};
}

function card(hit) {
  return el("li", {tabindex: "-1"}, el("article", {},
    el("h2", {dir: "auto"}, marked(hit.title, hit.title_marks)),
    hit.snippet && el("p", {class: "snippet", dir: "auto"}, marked(hit.snippet.text, hit.snippet.marks)),
    el("p", {class: "note about"}, facts(hit)),
    el("p", {class: "note identity"}, el("code", {}, el("bdi", {}, hit.document_id)), ` version ${hit.version}`,
      copyButton(hit.document_id, "Copy id"))));
}

function facts(hit) {
  const said = [hit.document_type, hit.industry, hit.language].filter(Boolean).map(one => el("bdi", {}, one));
  if (hit.pages) said.push(`${hit.pages.toLocaleString("en")} ${hit.pages === 1 ? "page" : "pages"}`);
  return [...said.flatMap(one => [one, " · "]), moment(hit.created_at),
    hit.tags.map(tag => [" ", el("bdi", {class: "tag"}, tag)])].flat(2);
}

/** The text with what matches marked. Marks count code points, of which some are two of JavaScript's characters. */
function marked(text, marks) {
  const characters = [...text], parts = [];
  let shown = 0;
  for (const {start, end} of marks) {
    if (start < shown || end <= start) continue;
    parts.push(characters.slice(shown, start).join(""), el("mark", {}, characters.slice(start, end).join("")));
    shown = end;
  }
  return [...parts, characters.slice(shown).join("")];
}
