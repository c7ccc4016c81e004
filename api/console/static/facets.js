// What narrows a search: the values that its documents have, how many have each, and which are wanted. Several of one field are
// alternatives, so each field keeps offering its other values.

import {el} from "./elements.js";

export const FACETS = [
  {field: "document_type", filter: "document_types", name: "Type"},
  {field: "industry", filter: "industries", name: "Industry"},
  {field: "language", filter: "languages", name: "Language"},
  {field: "tags", filter: "any_tags", name: "Tags"},
  {field: "media_type", filter: "media_types", name: "Format"},
];
const WIDE = "(min-width: 44rem)";

/** `narrow` is given all filters whenever one is set, cleared, or all are. */
export function facetFilters(narrow) {
  const groups = el("div", {class: "facets"});
  const element = el("details", {class: "narrowing", open: matchMedia(WIDE).matches}, el("summary", {}, "Filters"), groups);
  let chosen = {};

  function show(facets, wanted) {
    chosen = wanted;
    const focused = document.activeElement?.dataset;
    const at = focused?.filter && {filter: focused.filter, value: document.activeElement.value};
    const any = Object.values(chosen).some(values => values.length);
    groups.replaceChildren(...facets.map(group).filter(Boolean), ...(any
      ? [el("button", {type: "button", class: "quiet small", onclick: () => narrow(none(chosen))}, "Clear filters")] : []));
    const again = at && [...groups.querySelectorAll("input")].find(one => one.dataset.filter === at.filter && one.value === at.value);
    again?.focus();
  }

  function group(facet) {
    const {filter, name} = FACETS.find(one => one.field === facet.field);
    // What is chosen can always be let go, also when it isn't among the most frequent.
    const listed = new Set(facet.values.map(one => one.value));
    const absent = chosen[filter].filter(value => !listed.has(value)).map(value => ({value, count: null}));
    const values = [...facet.values, ...absent];
    return values.length > 0 && el("fieldset", {}, el("legend", {}, name), values.map(one => choice(filter, one)),
      facet.others > 0 && el("p", {class: "note"}, `${facet.others.toLocaleString("en")} more with others`));
  }

  function choice(filter, {value, count}) {
    const box = el("input", {type: "checkbox", "data-filter": filter, value, checked: chosen[filter].includes(value), onchange: () => {
      // The next may be ticked before this one's answer is there.
      const others = chosen[filter].filter(one => one !== value);
      chosen = {...chosen, [filter]: box.checked ? [...others, value] : others};
      narrow(chosen);
    }});
    return el("label", {}, box, el("bdi", {}, value), el("span", {class: "note"}, count === null ? "" : count.toLocaleString("en")));
  }

  return {element, show};
}

function none(chosen) {
  return Object.fromEntries(Object.keys(chosen).map(name => [name, []]));
}
