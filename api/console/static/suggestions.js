// Completes what is being typed: a combobox as https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ describes it.

import {call, rest} from "./client.js";
import {el, say} from "./elements.js";

const PAUSE_MILLISECONDS = 150;
const MOST = 8;

/** Puts the list below the input. `filters` gives what narrows the search now; `onChosen` hears the text that was chosen. */
export function suggestions(input, {filters, signal, onChosen}) {
  const list = el("ul", {id: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true});
  const element = el("div", {class: "combobox"}, input, list);
  let typed = new AbortController(), active = -1;
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id]]) {
    input.setAttribute(name, value);
  }
  input.addEventListener("input", offer);
  input.addEventListener("keydown", move);
  input.addEventListener("blur", close);
  close();

  async function offer() {
    typed.abort();
    typed = new AbortController();
    const mine = AbortSignal.any([signal, typed.signal]), q = input.value.trim();
    if (!q) return close();
    try {
      await rest(PAUSE_MILLISECONDS, mine);
      if (mine.aborted) return;
      const found = await call("GET", "/api/search/suggest", {query: {...narrowing(filters()), q, limit: MOST}, signal: mine});
      if (!mine.aborted && document.activeElement === input) show(found);
    } catch {
      // Nothing is offered then; the search itself says what stands in the way.
      if (!mine.aborted) close();
    }
  }

  function show({suggestions: found, did_you_mean: other}) {
    const options = found.map(one => option(one.text, one.document_id ? "title" : counted(one.documents)));
    if (other) options.push(option(other, "did you mean"));
    list.replaceChildren(...options);
    point(-1);
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (options.length) say(`${options.length} ${options.length === 1 ? "suggestion" : "suggestions"}`);
  }

  function option(text, note) {
    const node = el("li", {role: "option", "aria-selected": "false"}, el("bdi", {}, text), " ", el("span", {class: "note"}, note));
    node.text = text;
    // A press would take the focus from the input, and with it the list.
    node.addEventListener("mousedown", event => event.preventDefault());
    node.addEventListener("click", () => choose(text));
    return node;
  }

  function move(event) {
    if (event.isComposing || list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") point(active + 1 < count ? active + 1 : -1);
    else if (event.key === "ArrowUp") point(active < 0 ? count - 1 : active - 1);
    else if (event.key === "Enter" && active >= 0) choose(list.children[active].text);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  }

  function point(at) {
    active = at;
    [...list.children].forEach((node, place) => {
      node.id = `suggestion-${place}`;
      node.setAttribute("aria-selected", String(place === at));
    });
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[at].id);
  }

  function choose(text) {
    close();
    onChosen(text);
  }

  function close() {
    typed.abort();
    list.hidden = true;
    list.replaceChildren();
    point(-1);
    input.setAttribute("aria-expanded", "false");
  }

  return {element, close};
}

/** As query parameters, which have commas between: what has one in it can't be said there, and narrows less. */
function narrowing(filters) {
  return Object.fromEntries(Object.entries(filters).map(([name, values]) =>
    [name, values.filter(value => !value.includes(",")).join(",")]));
}

function counted(documents) {
  return `${documents.toLocaleString("en")} ${documents === 1 ? "document" : "documents"}`;
}
