// Commands that are handed in again and again: when each comes next, and a way to stop it or to run it now.

import {call, Refused} from "./client.js";
import {el, empty, heading, moment, problemBox} from "./elements.js";

const ROWS = 50;

export async function showSchedules(root, {query, signal}) {
  const told = el("div"), list = el("div"), pages = el("div", {class: "pages"});
  root.append(heading("Schedules"), told, list, pages);

  async function look() {
    const page = await call("GET", "/api/schedules", {query: {limit: ROWS, cursor: query.get("cursor")}, signal});
    const focused = document.activeElement?.id;
    list.replaceChildren(page.schedules.length ? table(page.schedules, act)
      : empty("No schedules", "Make one with the command line: bucatini schedules create NAME CRON KIND."));
    pages.replaceChildren(...[
      query.has("cursor") && el("a", {href: "#/schedules"}, "Newest"),
      page.next_cursor && el("a", {href: `#/schedules?cursor=${encodeURIComponent(page.next_cursor)}`, rel: "next"}, "Older"),
    ].filter(Boolean));
    if (focused) document.getElementById(focused)?.focus();
  }

  async function act(schedule, verb) {
    told.replaceChildren();
    try {
      const made = await call("POST", `/api/schedules/${schedule.id}/${verb}`);
      if (verb === "run") {
        told.append(el("p", {class: "done", role: "status"}, `'${schedule.name}' runs as `,
          el("a", {href: `#/jobs/${made.id}`}, "this job"), "."));
      }
      await look();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(problemBox(error.problem));
    }
  }

  await look();
}

function table(schedules, act) {
  return el("div", {class: "scroll"}, el("table", {},
    el("caption", {class: "unseen"}, "Schedules"),
    el("thead", {}, el("tr", {}, ["Name", "When", "Next", "Last", "Actions"].map(name => el("th", {scope: "col"}, name)))),
    el("tbody", {}, schedules.map(one => el("tr", {},
      el("th", {scope: "row"}, one.name, el("span", {class: "note reason"}, one.kind)),
      el("td", {}, el("code", {}, one.cron), el("span", {class: "note reason"}, one.timezone)),
      el("td", {}, one.paused_at ? "paused" : moment(one.next_at),
        one.paused_because && el("span", {class: "note reason"}, one.paused_because)),
      el("td", {}, one.last_job_id ? el("a", {href: `#/jobs/${one.last_job_id}`}, moment(one.last_at)) : "–"),
      el("td", {}, el("div", {class: "actions"},
        verb(one, one.paused_at ? "resume" : "pause", act), verb(one, "run", act))))))));
}

function verb(schedule, name, act) {
  const label = {pause: "Pause", resume: "Resume", run: "Run now"}[name];
  // Pause and resume are one place for the focus.
  const id = `${name === "run" ? "run" : "pause"}-${schedule.id}`;
  return el("button", {type: "button", class: "small", id, "aria-label": `${label}: ${schedule.name}`,
    onclick: () => act(schedule, name)}, label);
}
