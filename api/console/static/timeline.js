// All that happened to a job, in order; of a long life the last part.

import {el, json, moment, setText} from "./elements.js";

const MOST_SHOWN = 200;

export function timeline() {
  const list = el("ol", {class: "timeline"});
  const note = el("p", {class: "note"}, "Nothing yet.");
  const element = el("div", {}, note, list);
  let count = 0;

  function add(event) {
    count += 1;
    list.append(entry(event));
    if (list.children.length > MOST_SHOWN) list.firstChild.remove();
    note.hidden = count <= MOST_SHOWN;
    setText(note, `The last ${MOST_SHOWN} of ${count.toLocaleString("en")} entries.`);
  }

  function clear() {
    count = 0;
    list.replaceChildren();
    note.hidden = false;
    setText(note, "Nothing yet.");
  }

  return {element, add, clear};
}

function entry(event) {
  const {seq, ...data} = {seq: event.id.split(":").pop(), ...event.data};
  const more = Object.keys(data).length > 0;
  const line = [el("span", {class: "seq"}, seq), el("strong", {}, event.type), moment(event.time)];
  return el("li", {"data-type": event.type},
    more ? el("details", {}, el("summary", {}, line), json(event.data, `Data of ${event.type}`)) : el("div", {class: "line"}, line));
}
