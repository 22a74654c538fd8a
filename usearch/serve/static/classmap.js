// The class map of a photo: names in, a coloured layer with its legend out.

import * as api from "./api.js";
import { el, percent } from "./elements.js";

const KEPT = "usearch.classes";
const FIRST = "person\nsky, clouds\ntree, plant\ngrass\nbuilding, house\nroad, street\nwater\nfloor\nwall";

/** The layer over the picture, and the panel that steers it; `changed(shown)` when it comes or goes. */
export function makeClassMap(changed) {
  let photo = null;
  let loading = null;

  const picture = el("img", { class: "map", alt: "", hidden: true });
  const names = el("textarea", { rows: "6", spellcheck: "false", maxlength: "20000", "aria-label": "Classes, one a line" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const legend = el("ul", { class: "legend" });
  const covered = el("p", { class: "quiet" });
  const strength = el("input", { type: "range", min: "0", max: "1", step: "0.05", value: "0.65", "aria-label": "Strength of the colours", oninput: tint });
  const result = el("div", { class: "map-result", hidden: true }, el("label", { class: "strength" }, "Colours ", strength), legend, covered);
  const panel = el(
    "details", { class: "class-map" },
    el("summary", { text: "Class map" }),
    el("p", { class: "quiet", text: "One class a line; more names for it after commas." }),
    el(
      "form", { onsubmit: (event) => { event.preventDefault(); draw(); } },
      names,
      el("div", { class: "actions" },
        el("button", { class: "main", text: "Colour the photo" }),
        el("button", { type: "button", class: "plain", text: "Clear", onclick: clear })),
    ),
    problem, result,
  );
  names.value = remembered() ?? FIRST;

  function remembered() {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null;
    }
  }

  function tint() {
    picture.style.opacity = strength.value;
  }

  function clear() {
    loading?.abort();
    picture.hidden = true;
    picture.removeAttribute("src");
    changed(false);
    result.hidden = true;
    problem.hidden = true;
  }

  async function draw() {
    const lines = names.value.split("\n").map((line) => line.trim()).filter(Boolean);
    loading?.abort();
    const here = (loading = new AbortController());
    problem.hidden = true;
    try {
      localStorage.setItem(KEPT, names.value);
    } catch {
      // A browser that keeps nothing: the list is there until the page is left.
    }
    try {
      const found = await api.classMap(photo, lines, here.signal);
      picture.src = api.classMapPicture(photo, lines);
      picture.hidden = false;
      changed(true);
      tint();
      legend.replaceChildren(...found.classes.filter(({ share }) => share > 0).map(row));
      covered.textContent = `${percent(1 - found.covered_share)} of the photo lies in no segment.`;
      covered.hidden = found.covered_share > 0.9995;
      result.hidden = false;
    } catch (refused) {
      if (refused.name === "AbortError") return;
      problem.hidden = false;
      problem.textContent = [refused.message, refused.hint].filter(Boolean).join(": ");
    }
  }

  function row({ name, colour, share }) {
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = colour;
    const bar = el("span", { class: "bar-of" });
    bar.style.width = `${Math.max(1, share * 100)}%`;
    bar.style.background = colour;
    return el("li", {}, swatch, el("span", { class: "class-name", text: name }), el("span", { class: "share", text: percent(share) }), bar);
  }

  return { picture, panel, clear, show: (id) => { photo = id; if (panel.open && !result.hidden) draw(); } };
}
