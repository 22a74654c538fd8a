// The filter controls: they show the state and change it.

import { byId } from "./elements.js";
import { FILTERS, filtersSet } from "./state.js";

/** The controls; `changed(values)` is called with what was changed. */
export function makeFilters(changed) {
  const form = byId("filters");
  const toggle = byId("filters-toggle");
  const controls = Object.fromEntries(FILTERS.map((key) => [key, byId(`f-${key}`)]));
  const output = byId("f-min-out");
  let cutoff = 0;
  let timer;

  function setOpen(open) {
    form.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
  }

  function showMinimum() {
    const value = Number(controls.min.value);
    output.textContent = Math.abs(value - cutoff) < 0.005 ? `${value.toFixed(2)} (usual)` : value.toFixed(2);
  }

  function show(state, usual) {
    cutoff = Math.round(usual * 100) / 100;
    for (const key of FILTERS) controls[key].value = key === "min" ? state.min || String(cutoff) : state[key];
    showMinimum();
    const n = filtersSet(state);
    byId("filters-count").textContent = String(n);
    byId("filters-count").hidden = n === 0;
    if (n) setOpen(true);
  }

  function values() {
    const found = Object.fromEntries(FILTERS.map((key) => [key, controls[key].value.trim()]));
    if (Math.abs(Number(found.min) - cutoff) < 0.005) found.min = "";
    return found;
  }

  /** Shows what is wrong with the filter, or nothing. */
  function complain(problem) {
    const box = byId("filter-error");
    box.hidden = !problem;
    box.textContent = problem ? [problem.message.replace(/^--where, c/u, "C"), problem.excerpt, problem.hint].filter(Boolean).join("\n") : "";
    controls.where.toggleAttribute("aria-invalid", Boolean(problem));
    if (problem) setOpen(true);
  }

  toggle.addEventListener("click", () => {
    setOpen(form.hidden);
    if (!form.hidden) controls.min.focus();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    changed(null);
  });
  form.addEventListener("input", (event) => {
    showMinimum();
    clearTimeout(timer);
    const quick = event.target instanceof HTMLSelectElement;
    timer = setTimeout(() => changed(values()), quick ? 0 : 450);
  });
  return { show, complain };
}
