// The page: state from the address, questions to the API, answers to the grid.

import * as api from "./api.js";
import { byId, counted, el } from "./elements.js";
import { makeFilters } from "./filters.js";
import { makeGrid } from "./grid.js";
import { address, asks, readState, searchBody, withoutFilters } from "./state.js";
import { termChip } from "./terms.js";
import { makeViewer } from "./viewer.js";

const PAGE = 30;

let state = readState();
let store = null;
let known = null; // what tells when `store` is there
let asked = "";
let more = false;
let loading = null;

const words = byId("words");
const grid = makeGrid(byId("grid"), {
  open: (hit) => (hit.label ? go({ ...blank(), q: hit.label }) : openPhoto(hit)),
  similar: (hit) => searchBy({ kind: "segment", id: String(hit.segment) }),
  link: (hit) => address(hit.label ? { ...blank(), q: hit.label } : { ...state, photo: String(hit.photo) }),
});
const filters = makeFilters((values) =>
  go({ ...(values ? { ...state, ...values } : withoutFilters(state)), all: false }, { replace: true }));
const viewer = makeViewer(byId("viewer"), {
  searchBy,
  close: () => (history.state?.inside ? history.back() : go({ ...state, photo: null })),
  step: (way) => {
    const at = grid.hits.findIndex((hit) => String(hit.photo) === state.photo && hit.segment === viewer.segment);
    const next = grid.hits[at + way];
    if (at >= 0 && next && !next.label) openPhoto(next, { replace: true });
  },
});

/** A state that asks nothing, with the filters as they are. */
const blank = () => ({ ...state, q: "", terms: [], all: false, photo: null });

/** Another state: its address, and what it shows. */
function go(next, { replace = false, segment = null } = {}) {
  const inside = replace ? history.state?.inside : Boolean(next.photo) && !state.photo;
  history[replace ? "replaceState" : "pushState"]({ inside, segment }, "", address(next));
  show();
}

function openPhoto(hit, { replace = false } = {}) {
  go({ ...state, photo: String(hit.photo) }, { replace, segment: hit.segment });
}

function searchBy(term, { add = false } = {}) {
  const terms = add ? [...state.terms, term].slice(-8) : [term];
  go({ ...state, q: add ? state.q : "", terms, photo: null, all: false });
  scrollTo({ top: 0 });
}

/** Makes the page show what its address says. */
function show() {
  state = readState();
  if (document.activeElement !== words || words.value.trim() !== state.q) words.value = state.q;
  byId("terms").replaceChildren(...state.terms.map((term) =>
    termChip(term, () => go({ ...state, terms: state.terms.filter((other) => other !== term) }))));
  if (store) filters.show(state, store.cutoff);
  document.title = state.q || state.terms.length ? `${state.q || "Search by picture"} · usearch` : "usearch";
  byId("welcome").hidden = asks(state);
  const question = JSON.stringify(searchBody(state, 0, PAGE));
  if (question !== asked) {
    asked = question;
    if (asks(state)) ask();
    else welcome();
  }
  if (state.photo) viewer.show(state.photo, history.state?.segment ?? null);
  else viewer.hide();
}

async function ask() {
  loading?.abort();
  const here = (loading = new AbortController());
  more = false;
  document.body.classList.add("busy");
  filters.complain(null);
  try {
    const answer = await api.search(searchBody(state, 0, PAGE), here.signal);
    // Why there is nothing depends on what the store holds, and an answer may come first.
    if (!answer.segments) await known;
    if (here.signal.aborted) return;
    grid.show(answer.hits, answer.cutoff);
    more = answer.more;
    report(answer);
    // The end may have been in sight all along, and then nothing tells that it came into it.
    if (more && nearEnd()) askMore();
  } catch (problem) {
    if (problem.name !== "AbortError") refuse(problem);
  } finally {
    if (loading === here) document.body.classList.remove("busy");
  }
}

async function askMore() {
  if (!more || loading?.more) return;
  more = false;
  const here = (loading = Object.assign(new AbortController(), { more: true }));
  try {
    const answer = await api.search(searchBody(state, grid.hits.length, PAGE), here.signal);
    grid.add(answer.hits);
    more = answer.more;
  } catch (problem) {
    if (problem.name !== "AbortError") note(problem.message);
  } finally {
    here.more = false;
    if (more && nearEnd()) askMore();
  }
}

const nearEnd = () => byId("end").getBoundingClientRect().top < innerHeight + 900;

/** The line above the results, and what to say when there are none. */
function report(answer) {
  const searched = `${counted(answer.segments, "segment")} of ${counted(answer.photos, "photo")}`;
  if (!answer.segments) {
    note(store?.store.segments ? "The filter leaves nothing to search." : "Nothing is indexed yet: usearch index FOLDER fills the store.");
  } else if (!answer.hits.length) {
    nothing(answer, searched);
  } else {
    if (state.all) {
      const below = answer.hits.filter((hit) => hit.score < answer.cutoff).length;
      note(below ? "The nearest segments, matching or not. Grey scores are below the cut-off." : `The nearest in ${searched}.`,
        button("Only what matches", () => go({ ...state, all: false })));
    } else {
      const n = answer.hits.length;
      note(`${answer.more ? "The best matches" : counted(n, "match", "matches")} in ${searched}`);
    }
  }
}

function nothing(answer, searched) {
  const best = answer.best;
  note("");
  byId("status").replaceChildren(
    el(
      "div", { class: "nothing" },
      el("h2", { text: `Nothing here matches ${describe()}.` }),
      el("p", {
        text: best
          ? `Searched ${searched}. The best one scores ${best.score.toFixed(2)}; from ${answer.cutoff.toFixed(2)} on it would count as a match.`
          : `Searched ${searched}.`,
      }),
      state.min !== "" && best && best.score >= (store?.cutoff ?? 1)
        ? button("Use the usual minimum score", () => go({ ...state, min: "" }))
        : button("Show the nearest anyway", () => go({ ...state, all: true })),
    ),
  );
}

const describe = () => (state.q ? `“${state.q}”` : state.terms.some((term) => term.box) ? "this region" : "this picture");

function refuse(problem) {
  grid.show([], 0);
  const about = problem.excerpt || /--where/.test(problem.message ?? "");
  if (about) filters.complain(problem);
  const text = about ? "The filter cannot be read." : problem.message || String(problem);
  byId("status").replaceChildren(
    el("div", { class: "nothing" }, el("h2", { text }), el("p", { text: about ? "" : problem.hint ?? "" })),
  );
}

function note(text, ...rest) {
  byId("status").replaceChildren(text, ...rest.flatMap((item) => [" ", item]));
}

const button = (text, onclick) => el("button", { type: "button", class: "plain", text, onclick });

/** What is shown before anything was asked. */
function welcome() {
  loading?.abort();
  document.body.classList.remove("busy");
  more = false;
  filters.complain(null);
  note("");
  grid.show([], 0);
  if (!store) return;
  const { photos, segments } = store.store;
  const empty = segments === 0;
  byId("welcome").replaceChildren(
    el("h1", { text: "Find things inside your photos" }),
    el("p", { text: empty ? "Nothing is indexed yet. In a terminal: usearch index FOLDER" : `${counted(photos, "photo")} in ${counted(segments, "segment")}. Name anything you hope to see in them.` }),
    el("div", { class: "chips" }, ...store.examples.map(({ text }) =>
      el("a", {
        class: "chip", href: address({ ...blank(), q: text }), text,
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go({ ...blank(), q: text });
        },
      }))),
  );
  grid.show(store.examples.map(({ text, hit }) => ({ ...hit, label: text })), store.cutoff);
}

async function uploadPicture(blob) {
  if (!blob?.type.startsWith("image/")) {
    note("That is not a picture.");
    return;
  }
  if (store && blob.size > store.limits.upload_bytes) {
    note(`That picture is larger than ${Math.floor(store.limits.upload_bytes / 2 ** 20)} MiB.`);
    return;
  }
  document.body.classList.add("busy");
  try {
    const { upload } = await api.upload(blob);
    searchBy({ kind: "upload", id: upload });
  } catch (problem) {
    document.body.classList.remove("busy");
    note([problem.message, problem.hint].filter(Boolean).join(" "));
  }
}

function showKeys() {
  const rows = [
    ["/", "type a question"], ["← → ↑ ↓", "move between results"], ["Enter", "open a photo"],
    ["s", "search by the segment"], ["f", "filters"], ["Esc", "close"],
    ["↑ ↓", "in a photo: the larger or smaller segment here"], ["drag", "in a photo: search by a region"],
    ["Shift", "with a click: add to the question"], ["?", "this list"],
  ];
  byId("keys").replaceChildren(
    el("h2", { text: "Keys" }),
    el("dl", {}, ...rows.flatMap(([key, text]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text })])),
    el("p", { class: "quiet", text: 'In the search box, “red car -toy” looks for red cars that are no toys.' }),
    el("form", { method: "dialog" }, el("button", { class: "plain", text: "Close" })),
  );
  byId("keys").showModal();
}

function listen() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const q = words.value.trim();
    if (q !== state.q || state.all) go({ ...state, q, all: false, photo: null });
    if (q) byId("results").focus({ preventScroll: true });
  });
  words.addEventListener("input", () => {
    if (!words.value && state.q) go({ ...state, q: "", all: false });
  });
  words.addEventListener("keydown", (event) => {
    const atStart = words.selectionStart === 0 && words.selectionEnd === 0;
    if (event.key === "Backspace" && atStart && state.terms.length) go({ ...state, terms: state.terms.slice(0, -1) });
    else if (event.key === "Escape") words.blur();
    else if (event.key === "ArrowDown" && grid.focus(0)) event.preventDefault();
  });
  byId("home").addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go({ ...withoutFilters(blank()) });
    words.focus();
  });
  byId("pick").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    if (event.target.files.length) uploadPicture(event.target.files[0]);
    event.target.value = "";
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    uploadPicture(file);
  });
  let inside = 0;
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  const drop = (shown) => { byId("drop").hidden = !shown; };
  document.addEventListener("dragenter", (event) => { if (carriesFile(event)) { inside += 1; drop(true); } });
  document.addEventListener("dragleave", (event) => { if (carriesFile(event)) { inside -= 1; drop(inside > 0); } });
  document.addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    inside = 0;
    drop(false);
    if (!carriesFile(event)) return;
    event.preventDefault();
    uploadPicture(event.dataTransfer.files[0]);
  });
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      words.focus();
      words.select();
    } else if (event.key === "?") showKeys();
    else if (event.key === "f") byId("filters-toggle").click();
    else if (event.key.startsWith("Arrow") && grid.step(event.key)) event.preventDefault();
  });
  addEventListener("popstate", show);
  new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) askMore(); }, { rootMargin: "900px" })
    .observe(byId("end"));
}

async function start() {
  listen();
  known = api.info().then((found) => { store = found; });
  if (asks(state)) show();
  try {
    await known;
  } catch (problem) {
    if (!asks(state)) refuse(problem);
    return;
  }
  asked = asks(state) ? asked : "";
  show();
}

start();
