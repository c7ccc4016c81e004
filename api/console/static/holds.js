// What is kept from running, and why. A pause keeps jobs waiting; a kill ends them when they would begin.

import {call, Refused} from "./client.js";
import {confirmed} from "./dialogs.js";
import {el, empty, heading, moment, problemBox} from "./elements.js";

const QUEUES = ["ai", "search", "workflow", "keys", "webhooks"];

export async function showHolds(root, {signal}) {
  const told = el("div"), list = el("div");
  root.append(heading("Holds"), told, list, form(make));

  async function look() {
    const {holds} = await call("GET", "/api/holds", {signal});
    list.replaceChildren(holds.length ? table(holds, remove) : empty("Nothing is on hold", "Every job runs as its turn comes."));
  }

  async function attempt(wish) {
    told.replaceChildren();
    try {
      await wish();
      await look();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(problemBox(error.problem));
      return false;
    }
  }

  async function make(wanted) {
    const kills = wanted.action === "kill" && !await confirmed({
      title: "End every job that matches?", yes: "End them", no: "Leave them",
      text: "Jobs that match end as cancelled when a worker would have begun them, until you remove this hold.",
    });
    return !kills && attempt(() => call("POST", "/api/holds", {body: wanted}));
  }

  function remove(hold) {
    return attempt(() => call("DELETE", `/api/holds/${hold.id}`));
  }

  await look();
}

function table(holds, remove) {
  return el("div", {class: "scroll"}, el("table", {},
    el("caption", {class: "unseen"}, "Holds"),
    el("thead", {}, el("tr", {}, ["Hold", "Reason", "Since", "Actions"].map(name => el("th", {scope: "col"}, name)))),
    el("tbody", {}, holds.map(hold => el("tr", {},
      el("th", {scope: "row"}, `${hold.action} `, subject(hold)),
      el("td", {}, hold.reason),
      el("td", {}, moment(hold.created_at)),
      el("td", {}, hold.tenant_id
        ? el("button", {type: "button", class: "small", "aria-label": `Resume: ${hold.reason}`, onclick: () => remove(hold)}, "Resume")
        : el("span", {class: "note"}, "by the operator")))))));
}

function subject(hold) {
  const parts = [hold.queue && `queue ${hold.queue}`, hold.kind && `kind ${hold.kind}`,
    hold.argument && `where ${JSON.stringify(hold.argument)}`].filter(Boolean);
  return el("span", {class: "note reason"}, parts.join(", ") || "every job");
}

function form(make) {
  const element = el("form", {class: "panel", "aria-labelledby": "new-hold", onsubmit: async event => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(element)].filter(([, value]) => value.trim() !== ""));
    if (await make(given)) element.reset();
  }},
  el("h2", {id: "new-hold"}, "Hold jobs"),
  el("div", {class: "filters"},
    field("What", el("select", {id: "hold-action", name: "action"},
      el("option", {value: "pause"}, "pause"), el("option", {value: "kill"}, "kill"))),
    field("Queue", el("select", {id: "hold-queue", name: "queue"},
      el("option", {value: ""}, "any"), QUEUES.map(one => el("option", {value: one}, one)))),
    field("Kind", el("input", {id: "hold-kind", name: "kind", maxlength: "100", placeholder: "any", autocomplete: "off", spellcheck: "false"})),
    field("Reason", el("input", {id: "hold-reason", name: "reason", maxlength: "500", required: true, autocomplete: "off"}))),
  el("button", {class: "strong"}, "Hold"));
  return element;
}

function field(label, input) {
  return el("div", {class: "field"}, el("label", {for: input.id}, label), input);
}
