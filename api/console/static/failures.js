// The failure inbox: what failed and why, grouped by reason, and a second try for each group.

import {call, calmly, follow, Refused} from "./client.js";
import {replayGroup} from "./dialogs.js";
import {el, empty, heading, moment, problemBox, say} from "./elements.js";
import {jobTable} from "./job_table.js";

const GROUPS = 50, ROWS = 50;
const BETWEEN_LOOKS = 2_000;
const LONGEST_DETAIL = 600;

export async function showFailures(root, {signal}) {
  const told = el("div"), list = el("div", {class: "groups"});
  root.append(heading("Failures"), el("p", {class: "note"}, "Of the last seven days, by reason; what failed last comes first."), told, list);
  let known = "";

  async function look() {
    const found = await call("GET", "/api/failures", {query: {limit: GROUPS}, signal});
    if (JSON.stringify(found) === known) return;
    known = JSON.stringify(found);
    const focused = document.activeElement?.id;
    list.replaceChildren(...(found.groups.length
      ? found.groups.map(group => card(group, told, look))
      : [empty("Nothing has failed", "Jobs that fail, die or are being retried appear here, grouped by reason.")]));
    if (!found.complete) list.append(el("p", {class: "note"}, "There are more groups than are shown."));
    if (focused) document.getElementById(focused)?.focus();
  }

  await look();
  const ask = calmly(() => look().catch(() => {}), BETWEEN_LOOKS, signal);
  return () => follow("/api/events?type=job.*", {signal, onEvent: ask, onLink: linked => linked && ask()});
}

function card(group, told, look) {
  const name = `group-${group.fingerprint}`;
  return el("article", {class: "group", "aria-labelledby": name},
    el("h2", {id: name}, group.title, " ", el("span", {class: "count"}, counted(group))),
    el("p", {class: "note"}, el("code", {}, group.kind), " · last ", moment(group.last_at), " · first ", moment(group.first_at)),
    group.detail && el("p", {class: "detail"}, bounded(group.detail)),
    el("div", {class: "actions"},
      replayButton(group, told, look),
      el("a", {class: "button quiet", id: `show-${group.fingerprint}`, href: `#/failures/${group.fingerprint}`}, "Show jobs")));
}

function replayButton(group, told, onDone) {
  return el("button", {type: "button", class: "strong", id: `replay-${group.fingerprint}`, onclick: async () => {
    told.replaceChildren();
    try {
      const replay = await replayGroup(group);
      if (replay) told.replaceChildren(el("p", {class: "done"}, outcome(replay)));
      await onDone();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(problemBox(error.problem));
    }
  }}, "Replay…");
}

function outcome(replay) {
  const jobs = `${replay.replayed.toLocaleString("en")} ${replay.replayed === 1 ? "job was" : "jobs were"} queued again`;
  return replay.state === "finished" ? `${jobs}.` : `${jobs} so far; the rest follows.`;
}

function counted(group) {
  return `${group.count.toLocaleString("en")}${group.counted_all ? "" : "+"} ${group.count === 1 ? "job" : "jobs"}`;
}

function bounded(text) {
  return text.length > LONGEST_DETAIL ? `${text.slice(0, LONGEST_DETAIL)}…` : text;
}

export async function showFailureGroup(root, {argument: fingerprint, query, signal}) {
  const path = `/api/failures/${fingerprint}`;
  const told = el("div"), table = jobTable("Jobs of this group, those that failed last first");
  const page = await call("GET", path, {query: {limit: ROWS, cursor: query.get("cursor")}, signal});
  const {group} = page;
  table.show(page.jobs);
  root.append(el("p", {}, el("a", {href: "#/failures"}, "All failures")),
    heading(group.title, el("span", {class: "count"}, counted(group)), replayButton(group, told, () => say("Done"))),
    el("p", {class: "note"}, el("code", {}, group.kind), " · last ", moment(group.last_at), " · first ", moment(group.first_at)),
    group.detail && el("p", {class: "detail"}, bounded(group.detail)),
    told, table.element,
    el("div", {class: "pages"},
      query.has("cursor") && el("a", {href: `#/failures/${fingerprint}`}, "Newest"),
      page.next_cursor && el("a", {href: `#/failures/${fingerprint}?cursor=${encodeURIComponent(page.next_cursor)}`, rel: "next"}, "Older")));
}
