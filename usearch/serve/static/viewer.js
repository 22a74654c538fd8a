// One photo, large: its segments under the pointer, regions by dragging, a class map.

import * as api from "./api.js";
import { makeClassMap } from "./classmap.js";
import { counted, el, percent, splitPath, svg } from "./elements.js";

const DRAG = 6;

/**
 * The dialog for a photo. `searchBy(term, {add})` is called for a segment or region chosen,
 * `close()` when it is closed, `step(way)` for the photo before (-1) or after (1).
 */
export function makeViewer(dialog, { searchBy, close, step }) {
  let photo = null;
  let photoId = null;
  let segments = [];
  let chosen = null;
  let path = [];
  let loading = null;
  let drag = null;
  let under = null;
  let resting = [];

  const picture = el("img", { alt: "", draggable: "false" });
  const shapes = svg("g", { class: "shapes" });
  const dim = svg("path", { class: "dim", "fill-rule": "evenodd" });
  const halo = svg("path", { class: "halo" });
  const line = svg("path", { class: "line" });
  const frame = svg("rect", { class: "frame" });
  const drawing = svg("svg", { class: "drawing", preserveAspectRatio: "none" }, dim, shapes, halo, line, frame);
  const classMap = makeClassMap((shown) => {
    canvas.classList.toggle("mapped", shown);
  });
  const canvas = el("div", { class: "canvas" }, picture, classMap.picture, drawing);
  const stage = el("div", { class: "stage" }, canvas);
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const hint = el("p", { class: "hint" });
  const title = el("h2", { tabindex: "-1" });
  const folder = el("p", { class: "folder" });
  const facts = el("p", { class: "facts" });
  const about = el("p", { class: "about", "aria-live": "polite" });
  const useSegment = el("button", { type: "button", class: "main", text: "Search by this segment", onclick: () => chosen && searchSegment(chosen) });
  const side = el(
    "aside", { class: "side" },
    el(
      "div", { class: "bar" },
      el("button", { type: "button", class: "icon", title: "Result before (←)", "aria-label": "Result before", text: "‹", onclick: () => step(-1) }),
      el("button", { type: "button", class: "icon", title: "Next result (→)", "aria-label": "Next result", text: "›", onclick: () => step(1) }),
      el("span", { class: "grow" }),
      el("button", { type: "button", class: "icon", title: "Close (Esc)", "aria-label": "Close", text: "×", onclick: close }),
    ),
    title, folder, facts, problem, about,
    el(
      "div", { class: "actions" },
      useSegment,
      el("button", { type: "button", class: "plain", text: "Search by the whole photo", onclick: () => searchBy({ kind: "photo", id: photoId }) }),
      el("button", { type: "button", class: "plain", text: "Copy path", onclick: copyPath }),
    ),
    hint,
    classMap.panel,
  );
  dialog.append(el("div", { class: "frame-of-viewer" }, stage, side));

  async function show(id, segment) {
    const wanted = segment === null ? null : Number(segment);
    if (!dialog.open) dialog.showModal();
    if (id === photoId && photo) {
      if (wanted !== null) choose(byNumber(wanted));
      return;
    }
    loading?.abort();
    const here = (loading = new AbortController());
    photoId = id;
    [photo, segments, path, under] = [null, [], [], null];
    choose(null);
    shapes.replaceChildren();
    classMap.clear();
    canvas.style.width = canvas.style.height = "0";
    problem.hidden = true;
    const large = Math.max(stage.clientWidth, stage.clientHeight) * devicePixelRatio > 1100;
    picture.src = api.image(id, large ? 2048 : 1024);
    classMap.show(id);
    [title, folder, facts, about].forEach((part) => { part.textContent = ""; });
    try {
      const [facts_, found] = await Promise.all([api.photo(id, here.signal), api.segments(id, here.signal)]);
      photo = facts_;
      segments = found.segments;
      describe();
      fit();
      picture.alt = photo.path;
      draw();
      choose(wanted === null ? null : byNumber(wanted));
      title.focus({ preventScroll: true });
    } catch (refused) {
      if (refused.name !== "AbortError") complain(refused);
    }
  }

  function hide() {
    loading?.abort();
    [photo, photoId] = [null, null];
    if (dialog.open) dialog.close();
  }

  const byNumber = (number) => segments.find((item) => item.segment === number) ?? null;

  function describe() {
    const [where, name] = splitPath(photo.path);
    title.textContent = name;
    folder.textContent = where;
    const { width, height } = photo.photo_size;
    const day = photo.taken_at ? new Date(photo.taken_at) : null;
    facts.textContent = [
      `${width} × ${height}`,
      day && !Number.isNaN(day.valueOf()) ? day.toLocaleDateString(undefined, { dateStyle: "long" }) : null,
      photo.camera,
      counted(photo.segments, "segment"),
    ].filter(Boolean).join(" · ");
    hint.textContent = segments.length
      ? "Click a segment to search by it, drag to search by a region. Shift adds to the question."
      : "This photo has no segments.";
  }

  function complain(refused) {
    problem.hidden = false;
    problem.textContent = [refused.message, refused.hint].filter(Boolean).join(" ");
  }

  /** The picture as large as there is room, at its own shape. */
  function fit() {
    if (!photo) return;
    const { width, height } = photo.photo_size;
    const room = stage.getBoundingClientRect();
    const scale = Math.min(room.width / width, room.height / height);
    canvas.style.width = `${Math.max(1, width * scale)}px`;
    canvas.style.height = `${Math.max(1, height * scale)}px`;
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  /** Large segments first: the smallest one under the pointer is on top. */
  function draw() {
    const ordered = [...segments].sort((a, b) => b.area_share - a.area_share);
    shapes.replaceChildren(...ordered.map((segment) =>
      svg("path", { d: segment.outline, "fill-rule": "evenodd", "data-segment": segment.segment })));
  }

  function choose(segment) {
    chosen = segment;
    useSegment.disabled = !segment;
    dim.toggleAttribute("hidden", !segment);
    if (!segment) {
      [dim, halo, line].forEach((part) => part.setAttribute("d", ""));
      about.textContent = "";
      return;
    }
    const { width, height } = photo.photo_size;
    dim.setAttribute("d", `M0 0H${width}V${height}H0Z${segment.outline}`);
    halo.setAttribute("d", segment.outline);
    line.setAttribute("d", segment.outline);
    const inside = segment.parent === null ? "" : ", part of a larger one (↑)";
    about.textContent = `Segment of ${percent(segment.area_share)} of the photo${inside}`;
  }

  const searchSegment = (segment, event) =>
    searchBy({ kind: "segment", id: String(segment.segment) }, { add: Boolean(event?.shiftKey) });

  async function copyPath() {
    try {
      await navigator.clipboard.writeText(photo.image);
      about.textContent = "Copied.";
    } catch {
      about.textContent = photo.image;
    }
  }

  function place(event) {
    const room = drawing.getBoundingClientRect();
    const { width, height } = photo.photo_size;
    return [
      Math.min(Math.max((event.clientX - room.left) / room.width, 0), 1) * width,
      Math.min(Math.max((event.clientY - room.top) / room.height, 0), 1) * height,
    ];
  }

  const boxOf = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];

  function drawFrame(box) {
    const [x0, y0, x1, y1] = box ?? [0, 0, 0, 0];
    Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 }).forEach(([key, value]) => frame.setAttribute(key, value));
  }

  /** A pointer that only lay where the photo opened has chosen nothing yet. */
  function point(event) {
    const number = event.target.dataset?.segment;
    const still = event.clientX === resting[0] && event.clientY === resting[1];
    if (!number || number === under || still) return;
    under = number;
    path = [];
    choose(byNumber(Number(number)));
  }

  addEventListener("pointermove", (event) => { if (!dialog.open) resting = [event.clientX, event.clientY]; });
  drawing.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !photo) return;
    drag = { from: place(event), x: event.clientX, y: event.clientY, moved: false, target: event.target };
    if (event.pointerType === "mouse") drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!drag) {
      point(event);
      return;
    }
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > DRAG;
    if (!drag.moved) return;
    choose(null);
    drawFrame(boxOf(drag.from, place(event)));
  });
  drawing.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { from, moved, target } = drag;
    drag = null;
    drawFrame(null);
    if (!moved) {
      const segment = byNumber(Number(target.dataset?.segment)) ?? null;
      // A finger has nothing that hovers: its first tap chooses, its second one searches.
      if (segment && (event.pointerType === "mouse" || chosen === segment)) searchSegment(path.length ? chosen : segment, event);
      else choose(segment);
      return;
    }
    const box = boxOf(from, place(event)).map((value) => Math.round(value));
    if (box[2] - box[0] >= 8 && box[3] - box[1] >= 8) searchBy({ kind: "photo", id: photoId, box }, { add: event.shiftKey });
  });
  drawing.addEventListener("pointercancel", () => { drag = null; drawFrame(null); });
  drawing.addEventListener("pointerleave", () => { if (!drag) [path, under] = [[], null]; });

  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (/^(TEXTAREA|INPUT)$/.test(event.target.tagName)) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowUp" && chosen && chosen.parent !== null && byNumber(chosen.parent)) {
      path.push(chosen);
      choose(byNumber(chosen.parent));
    } else if (event.key === "ArrowDown" && path.length) choose(path.pop());
    else if (event.key === "s" && chosen) searchSegment(chosen);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(fit).observe(stage);
  return { show, hide, get segment() { return chosen?.segment ?? history.state?.segment ?? null; } };
}
