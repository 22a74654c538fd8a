// Terms of a question that are no words: segments, photos, regions, uploads, as chips.

import * as api from "./api.js";
import { el, svg } from "./elements.js";

const SEGMENTS_PER_PHOTO = 65536;

const WORDS = { segment: "this segment", photo: "this photo", upload: "your picture" };

/** A chip with a small picture of a term and a button that takes it away. */
export function termChip(term, remove) {
  const word = term.box ? "this region" : WORDS[term.kind];
  const chip = el(
    "span", { class: "term" },
    el("span", { class: "term-picture" }),
    el("span", { class: "term-word", text: word }),
    el("button", { type: "button", class: "term-off", "aria-label": `Remove ${word}`, title: `Remove ${word}`, text: "×", onclick: remove }),
  );
  picture(term).then((found) => found && chip.querySelector(".term-picture").append(found), () => {});
  return chip;
}

async function picture(term) {
  if (term.kind === "upload") {
    const source = api.uploaded(term.id);
    return term.box ? null : el("img", { src: source, alt: "" });
  }
  const id = term.kind === "segment" ? Math.floor(Number(term.id) / SEGMENTS_PER_PHOTO) : term.id;
  if (term.kind === "photo" && !term.box) return el("img", { src: api.thumbnail(id, 256), alt: "" });
  let { box } = term;
  let size;
  if (box) size = (await api.photo(id)).photo_size;
  else {
    const found = await api.segments(id);
    size = found.photo_size;
    box = found.segments.find((segment) => segment.segment === Number(term.id))?.box;
    if (!box) return null;
  }
  return crop(api.thumbnail(id, 512), size, box);
}

/** The part of a picture in a box, as a small square. */
function crop(source, { width, height }, [x0, y0, x1, y1]) {
  const side = Math.max(x1 - x0, y1 - y0, 1);
  const left = (x0 + x1 - side) / 2;
  const top = (y0 + y1 - side) / 2;
  return svg(
    "svg", { viewBox: `${left} ${top} ${side} ${side}`, "aria-hidden": "true" },
    svg("image", { href: source, width, height, preserveAspectRatio: "none" }),
  );
}
