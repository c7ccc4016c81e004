// What the job was given to do, for keys that may read what jobs contain.

import {call, Refused} from "./client.js";
import {el, json} from "./elements.js";

const SCOPE = "jobs:read_content";

export function commandOf(path) {
  const body = el("div", {});
  const element = el("section", {"aria-labelledby": "command-heading"}, el("h2", {id: "command-heading"}, "Command"), body);

  /** Asked for anew with each replay, which may have changed it. */
  async function show(signal) {
    try {
      const {command, version, problem} = await call("GET", `${path}/command`, {signal});
      body.replaceChildren(command === null
        ? el("p", {class: "note"}, problem.detail)
        : json(command, `Command as JSON, version ${version}`));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const refusal = error.problem.status === 403
        ? ["Your key may not read what jobs were given. That needs the scope ", el("code", {}, SCOPE), "."]
        : [error.problem.detail || error.problem.title];
      body.replaceChildren(el("p", {class: "note"}, refusal));
    }
  }

  return {element, show};
}
