// The list of jobs: filtered, paged, and on its first page as live as its reader wants it.

import {call, calmly, follow} from "./client.js";
import {el, empty, heading, say, setText} from "./elements.js";
import {jobTable} from "./job_table.js";

const ROWS = 50;
const BETWEEN_LOOKS = 1_000;
const STATES = ["scheduled", "queued", "running", "waiting", "retrying", "succeeded", "failed", "dead", "cancelled"];
const QUEUES = ["ai", "search", "workflow", "keys", "webhooks"];
const FILTERS = ["state", "queue", "kind", "batch_id"];

export async function showJobs(root, {query, signal}) {
  const filters = Object.fromEntries(FILTERS.map(name => [name, query.get(name) ?? ""]));
  const filtered = FILTERS.some(name => filters[name]);
  const table = jobTable("Jobs, the newest first");
  const none = filtered
    ? empty("No job matches", "Change the filters, or clear them to see all jobs.")
    : empty("No jobs yet", "Submit one with the command line, a client or curl; it appears here by itself.");
  const live = liveSwitch();
  const list = el("div", {}, table.element);
  const cursor = query.get("cursor");
  const pages = el("div", {class: "pages"});
  root.append(heading("Jobs", cursor ? "" : live.element), filterForm(filters), list, pages);

  async function look() {
    const page = await call("GET", "/api/jobs", {query: {...filters, cursor, limit: ROWS}, signal});
    table.show(page.jobs);
    const shown = page.jobs.length ? table.element : none;
    if (list.firstChild !== shown) list.replaceChildren(shown);
    turnPages(pages, query, page.next_cursor);
  }

  await look();
  if (cursor) return null;
  const ask = calmly(async () => {
    try {
      await look();
    } catch {
      // The next event asks again; the stream below tells what stands in the way for longer.
    }
  }, BETWEEN_LOOKS, signal);
  live.onResume = ask;
  return () => follow("/api/events?type=job.*", {signal, onEvent: () => live.paused || ask(), onLink: linked => {
    live.show(linked);
    // What happened while nobody listened.
    if (linked && !live.paused) ask();
  }});
}

/** Says whether the list follows what happens, and stops it for whoever wants to read in peace. */
function liveSwitch() {
  const word = el("span", {}, "Connecting");
  const button = el("button", {type: "button", class: "quiet small", "aria-pressed": "false", onclick: toggle}, "Pause");
  const element = el("div", {class: "live", "data-live": "false"}, el("span", {class: "dot", "aria-hidden": "true"}), word, button);
  let linked = false;
  const self = {element, paused: false, onResume: () => {}, show};

  function show(isLinked) {
    if (linked && !isLinked) say("Connection lost, trying again");
    linked = isLinked;
    element.dataset.live = String(linked && !self.paused);
    setText(word, self.paused ? "Paused" : linked ? "Live" : "Reconnecting");
  }

  function toggle() {
    self.paused = !self.paused;
    button.setAttribute("aria-pressed", String(self.paused));
    show(linked);
    if (!self.paused) self.onResume();
  }

  return self;
}

function filterForm(filters) {
  const form = el("form", {class: "filters", "aria-label": "Filters", onsubmit: apply, onchange: apply},
    choice("State", "state", STATES, filters.state),
    choice("Queue", "queue", QUEUES, filters.queue),
    el("div", {class: "field"}, el("label", {for: "filter-kind"}, "Kind"),
      el("input", {id: "filter-kind", name: "kind", value: filters.kind, maxlength: "100", spellcheck: "false",
        placeholder: "ai.process_document", autocomplete: "off"})),
    filters.batch_id && el("input", {type: "hidden", name: "batch_id", value: filters.batch_id}),
    filters.batch_id && el("p", {class: "note chip"}, "of batch ", el("a", {href: `#/jobs/${filters.batch_id}`}, filters.batch_id)),
    Object.values(filters).some(Boolean) && el("a", {href: "#/jobs", class: "clear"}, "Clear filters"));

  function apply(event) {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
    location.hash = given.length ? `#/jobs?${new URLSearchParams(given)}` : "#/jobs";
  }

  return form;
}

function choice(label, name, values, chosen) {
  const id = `filter-${name}`;
  return el("div", {class: "field"}, el("label", {for: id}, label),
    el("select", {id, name}, el("option", {value: ""}, "any"),
      values.map(value => el("option", {value, selected: value === chosen}, value))));
}

function turnPages(pages, query, nextCursor) {
  const first = new URLSearchParams(query), next = new URLSearchParams(query);
  first.delete("cursor");
  next.set("cursor", nextCursor ?? "");
  const links = [
    query.has("cursor") && el("a", {href: `#/jobs?${first}`}, "Newest"),
    nextCursor && el("a", {href: `#/jobs?${next}`, rel: "next"}, "Older"),
  ].filter(Boolean);
  const known = [...pages.children].map(link => link.getAttribute("href")).join();
  if (known !== links.map(link => link.getAttribute("href")).join()) pages.replaceChildren(...links);
}
