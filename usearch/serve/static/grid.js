// Results as rows of equal height that fill the width.

import { thumbnail } from "./api.js";
import { el, percent, segmentOverlay, splitPath } from "./elements.js";

const GAP = 8;

/**
 * A grid of hits in `box`.
 *
 * `open(hit, index)` and `similar(hit)` are called for what a person chooses; `link(hit)` is
 * the address of a hit's photo.
 */
export function makeGrid(box, { open, similar, link }) {
  let hits = [];
  let tiles = [];
  let cutoff = 0;

  function show(found, line) {
    hits = [];
    tiles = [];
    cutoff = line;
    box.replaceChildren();
    add(found);
  }

  function add(found) {
    const fresh = found.map((hit, i) => tile(hit, hits.length + i));
    hits = hits.concat(found);
    tiles = tiles.concat(fresh);
    box.append(...fresh);
    layout();
  }

  function tile(hit, index) {
    const [folder, name] = splitPath(hit.path);
    const label = hit.label ?? name;
    const picture = el("img", {
      src: thumbnail(hit.photo), alt: "", loading: "lazy", decoding: "async",
      onerror: () => item.classList.add("gone"),
      onload: () => item.classList.add("ready"),
    });
    const item = el(
      "article", { class: hit.label ? "tile card" : "tile" },
      el(
        "a",
        {
          class: "open", href: link(hit), title: hit.label ? null : folder + name,
          "aria-label": hit.label ? `Search for ${label}` : `${name}, score ${hit.score.toFixed(2)}, ${percent(hit.area_share)} of the photo`,
          onclick: (event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            open(hit, index);
          },
        },
        picture,
        segmentOverlay(hit.photo_size, hit.outline),
        el("span", { class: "missing", text: "photo moved or changed" }),
        el(
          "span", { class: "caption" },
          hit.label ? null : el("span", { class: hit.score >= cutoff ? "score" : "score weak", text: hit.score.toFixed(2) }),
          el("span", { class: "name", text: label }),
        ),
      ),
      hit.label ? null : el(
        "button",
        { class: "similar", type: "button", title: "Search by this segment (s)", "aria-label": "Search by this segment", tabindex: "-1", onclick: () => similar(hit) },
      ),
    );
    item.querySelector(".open").addEventListener("keydown", (event) => {
      if (event.key === "s" && !hit.label && !event.ctrlKey && !event.metaKey && !event.altKey) similar(hit);
    });
    return item;
  }

  function layout() {
    const width = box.clientWidth;
    if (!width) return;
    const wanted = width < 560 ? 150 : width < 1000 ? 190 : 225;
    let row = [];
    let total = 0;
    const close = (height) => {
      let used = 0;
      row.forEach(([index, aspect], i) => {
        // The last one takes what rounding left, so that right edges meet.
        const wide = i === row.length - 1 && height < wanted
          ? width - used - GAP * (row.length - 1) : Math.round(aspect * height);
        used += wide;
        tiles[index].style.width = `${wide}px`;
        tiles[index].style.height = `${Math.round(height)}px`;
      });
      row = [];
      total = 0;
    };
    hits.forEach(({ photo_size: size }, index) => {
      const aspect = Math.min(Math.max(size.width / size.height, 0.45), 3);
      row.push([index, aspect]);
      total += aspect;
      const height = (width - GAP * (row.length - 1)) / total;
      if (height < wanted) close(height);
    });
    if (row.length) close(wanted);
  }

  /** Moves the focus from tile to tile; whether the key was one of ours. */
  function step(key) {
    const at = tiles.indexOf(document.activeElement?.closest?.(".tile"));
    if (at < 0) {
      if ((key !== "ArrowDown" && key !== "ArrowRight") || !tiles.length) return false;
      return focus(0);
    }
    if (key === "ArrowRight") return focus(at + 1);
    if (key === "ArrowLeft") return focus(at - 1);
    return focus(nearestInNextRow(at, key === "ArrowDown" ? 1 : -1));
  }

  function nearestInNextRow(at, way) {
    const here = tiles[at].getBoundingClientRect();
    const middle = here.left + here.width / 2;
    let best = -1;
    let distance = Infinity;
    let row = null;
    for (let i = at + way; tiles[i]; i += way) {
      const there = tiles[i].getBoundingClientRect();
      if (Math.abs(there.top - here.top) < 2) continue;
      row ??= there.top;
      if (Math.abs(there.top - row) > 2) break;
      const off = Math.abs(there.left + there.width / 2 - middle);
      if (off < distance) [best, distance] = [i, off];
    }
    return best;
  }

  function focus(index) {
    const link = tiles[index]?.querySelector(".open");
    if (!link) return false;
    link.focus({ preventScroll: true });
    tiles[index].scrollIntoView({ block: "nearest" });
    return true;
  }

  new ResizeObserver(layout).observe(box);
  return { show, add, step, focus, get hits() { return hits; } };
}
